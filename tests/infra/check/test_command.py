"""`python -m infra check` in a real git repository: against what, what is printed, which exit code."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.check import command
from infra.check.report import Section, markdown
from infra.commands.outcome import BadInputError
from tests.infra.check.world import FILE, Repository, edited, without

HALF_PAST = edited(('"0 10 * * *"', '"30 10 * * *"'))
EXPLAINED = edited(('"0 10 * * *"', '"30 10 * * *"\n    reason: postings arrive at 10:15'))
MOVED = "~ check_cost: daily at 10:00 -> 10:30, owner finance@example.com"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return Repository(tmp_path)


class Said:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.errors = code, out, err.splitlines()
        self.facts: dict[str, Any] = json.loads(out.splitlines()[-1])


Check = Callable[..., Said]


@pytest.fixture
def check(repository: Repository, capsys: pytest.CaptureFixture[str]) -> Check:
    def run(*arguments: str) -> Said:
        code = command.main([str(repository.path), "--without-sources", *arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


def test_what_is_not_committed_is_compared_with_head(repository: Repository, check: Check) -> None:
    repository.write(EXPLAINED)
    said = check()
    commit = repository.git("rev-parse", "--short", "HEAD")
    assert (said.code, said.errors) == (0, [])
    assert said.out.startswith(f"cron.yaml against HEAD ({commit} of ")
    assert f"\n  {MOVED}\n" in said.out
    assert said.facts["changes"]["changed"]["check_cost"]["schedule"] == ["0 10 * * *", "30 10 * * *"]


def test_no_change_says_so_in_one_line(check: Check) -> None:
    first, second, *_ = check().out.splitlines()
    assert first.endswith(": nothing changes")
    assert second == ""


def test_a_branch_is_compared_with_where_it_left_the_trunk(repository: Repository, check: Check) -> None:
    fork = repository.git("rev-parse", "--short", "HEAD")
    repository.git("checkout", "-q", "-b", "trunk")
    repository.commit(without("sync"))  # somebody else's change, merged meanwhile
    repository.git("update-ref", "refs/remotes/origin/main", "trunk")
    repository.git("checkout", "-q", "main")
    repository.commit(EXPLAINED)
    for said in (check(), check("--against", "origin/main"), check("--against", "trunk")):
        assert f"({fork} of " in said.facts["against"]
        assert (list(said.facts["changes"]["changed"]), said.facts["changes"]["added"]) == (["check_cost"], [])
    assert check().facts["against"].startswith("origin/main ")


def test_on_the_trunk_itself_head_is_what_counts(repository: Repository, check: Check) -> None:
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD")
    repository.write(EXPLAINED)
    assert check().facts["against"].startswith("HEAD (")


def test_any_revision_may_be_asked_for(repository: Repository, check: Check) -> None:
    repository.commit(EXPLAINED)
    repository.commit(edited(("timeout: 120", "timeout: 60")).replace('"0 10 * * *"', '"30 10 * * *"\n    reason: so'))
    assert set(check("--against", "HEAD~1").facts["changes"]["changed"]["check_cost"]) == {"timeout", "reason"}
    assert "schedule" in check("--against", "HEAD~2").facts["changes"]["changed"]["check_cost"]


@pytest.mark.parametrize("revision", ["nowhere", "origin/nothing", "--help", "HEAD:cron.yaml"])
def test_a_revision_that_git_does_not_know_is_refused(check: Check, revision: str) -> None:
    with pytest.raises(BadInputError, match="git knows no such revision"):
        check(f"--against={revision}")


def test_an_unexplained_schedule_is_an_error_with_its_place_and_the_report_is_printed_all_the_same(
    repository: Repository,
    check: Check,
) -> None:
    repository.write(HALF_PAST)
    said = check()
    assert (said.code, said.facts["ok"]) == (2, False)
    assert said.errors == [
        "error   cron.yaml:16:15 check_cost.reason: is missing; say why: schedule '0 10 * * *' -> '30 10 * * *'"
    ]
    assert MOVED in said.out


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (("    owner: finance@example.com\n", ""), "12:5 check_cost.owner: is missing"),
        (("zh: 比较成本。, en: Compares cost.", "en: Compares cost."), "13:18 check_cost.description.zh: is missing"),
        (("zh: 比较成本。, en: Compares cost.", "zh: 比较成本。"), "13:18 check_cost.description.en: is missing"),
        (("    runbook: Run it again.\n", ""), "23:5 check_kit.runbook: is missing; a job of risk HIGH says what to do when it fails"),
        (("timeout: 120", "risk: CRITICAL"), "12:5 check_cost.runbook: is missing; a job of risk CRITICAL says what to do when it fails"),
    ],
)  # fmt: skip
def test_each_item_of_the_review_checklist_fails_with_its_place(
    repository: Repository,
    check: Check,
    edit: tuple[str, str],
    says: str,
) -> None:
    repository.write(edited(edit))
    said = check()
    assert (said.code, said.errors) == (2, [f"error   cron.yaml:{says}"])
    assert said.out.count("\n") == 1  # what is no cron.yaml is compared with nothing


def test_a_base_that_is_broken_itself_is_said_and_the_rest_goes_on(repository: Repository, check: Check) -> None:
    commit = repository.commit(FILE.replace('"0 10 * * *"', '"0 25 * * *"'))
    repository.write(HALF_PAST)
    said = check()
    assert said.code == 0
    first = said.out.splitlines()[0]
    assert first.startswith(f"nothing to compare with: cron.yaml at HEAD ({commit} of ")
    assert first.endswith("is broken itself, first on line 16")
    assert "connections: 18 of 40" in said.out
    assert said.facts["changes"] is None


@pytest.mark.parametrize("base", [b"\xff\xfe", b"", b"- just\n- a list\n"])
def test_a_base_of_anything_is_no_crash(repository: Repository, check: Check, base: bytes) -> None:
    repository.commit(base)
    repository.write(FILE)
    assert "is broken itself" in check().facts["against"]


def test_without_the_file_in_git_there_is_nothing_to_compare_with(repository: Repository, check: Check) -> None:
    repository.git("rm", "-q", "cron.yaml")
    repository.git("commit", "-q", "-m", "gone")
    repository.write(FILE)
    said = check()
    assert (said.code, said.out.splitlines()[0]) == (0, said.facts["against"])
    assert said.facts["against"].endswith(" has no cron.yaml")


def test_without_git_the_file_is_judged_alone(
    repository: Repository,
    check: Check,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert check().facts["against"] == "nothing to compare with: no git repository, or none with a commit"
    with pytest.raises(BadInputError, match="is in no git repository"):
        check("--against", "main")


def test_json_prints_one_line_and_nothing_else(repository: Repository, check: Check) -> None:
    repository.write(HALF_PAST)
    said = check("--json")
    assert (said.out.count("\n"), said.errors) == (1, [])
    assert set(said.facts) == {
        "ok", "jobs", "functions", "against", "changes", "collisions", "connections", "cost", "clocks", "errors",
        "warnings",
    }  # fmt: skip


def test_the_report_is_appended_to_a_page(repository: Repository, check: Check, tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("# Summary\n", "utf-8")
    repository.write(HALF_PAST)
    check("--markdown", str(page))
    text = page.read_text("utf-8")
    assert text.startswith("# Summary\n### cron.yaml\n\n- **error** `cron.yaml:16:15 check_cost.reason: is missing")
    told = r"- \~ check\_cost: daily at 10:00 -\> 10:30, owner finance@example.com"
    assert re.search(rf"\n{re.escape(told)}\n  - next: \w+ ", text)
    assert "\n### connections: 18 of 40" in text


def test_text_of_the_file_is_no_markup_on_the_page() -> None:
    said = markdown([Section("x", "a <b>", ("![x](y) `z` | *w*", "  # one", "  + two"), None)], ["`rm`"], [])
    assert said == (
        "### cron.yaml\n\n- **error** `'rm'`\n\n### a \\<b\\>\n\n"
        "- !\\[x\\](y) \\`z\\` \\| \\*w\\*\n  - \\# one\n  - \\+ two\n"
    )


def test_columns_stay_columns_on_the_page() -> None:
    said = markdown([Section("x", "cost", ("item      USD", "~~~       1.00"), None)], [], [])
    assert said == "### cost\n\n~~~text\nitem      USD\n---       1.00\n~~~\n"
