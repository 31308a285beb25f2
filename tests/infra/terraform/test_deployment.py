"""A deployment settles, follows an edit with no more than the edit, and goes away without a rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.infra.terraform import cycle
from tests.infra.terraform.configuration import copied, package, variables
from tests.infra.terraform.workspace import Workspace

JOB = "check_overdue_issues"


def _changes(work: Workspace) -> dict[str, list[str]]:
    """What a plan would do now, archives built anew: address -> actions."""
    package(work)
    plan: dict[str, Any] = work.plan("-refresh=false", *variables(cycle.APPLIED))
    actions = {change["address"]: change["change"]["actions"] for change in plan["resource_changes"]}
    return {address: does for address, does in actions.items() if does not in (["no-op"], ["read"])}


def _edit(path: Path, written: str, instead: str, *, after: str = "") -> None:
    text = path.read_text("utf-8")
    place = text.index(written, text.index(after))
    path.write_text(text[:place] + instead + text[place + len(written) :], "utf-8")


def test_it_settles_an_edited_job_is_one_function_an_edited_schedule_none_and_all_of_it_can_be_destroyed() -> None:
    with copied() as work:
        tree = work.folder.parent
        cycle.settle(work, print)

        (source,) = (tree / "functions").glob(f"*/{JOB}.py")
        _edit(source, '"""', '"""Edited. ')
        assert _changes(work) == {
            f'google_storage_bucket_object.archive["{JOB}"]': ["create", "delete"],
            f'module.function["{JOB}"].google_cloudfunctions2_function.this': ["update"],
        }
        _edit(source, '"""Edited. ', '"""')

        # The console carries the file, since it is what reloads it. No function, and nothing in Cloud Scheduler.
        _edit(tree / "cron.yaml", 'schedule: "', 'schedule: "17 3 * * *" # ', after=f"\n  {JOB}:\n")
        assert _changes(work) == {
            'google_storage_bucket_object.archive["console"]': ["create", "delete"],
            "google_cloud_run_v2_service.console": ["update"],
        }

        cycle.take_down(work, print)
        assert work.terraform("state", "list").stdout == ""


def test_a_step_that_fails_is_named_with_terraform_s_words_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    with copied() as work:
        with (work.folder / "pubsub.tf").open("a", encoding="utf-8") as file:
            file.write('\nresource "google_pubsub_subject" "x" {}\n')
        assert cycle.main(work.folder.parent) == 2
    said = capsys.readouterr()
    assert said.out.splitlines()[-2:] == ["terraform: validate FAILED", '{"terraform": "failed"}']
    assert "google_pubsub_subject" in said.err


def test_without_terraform_the_cycle_says_so_and_only_ci_takes_it_for_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("BELFRY_CI", raising=False)
    assert cycle.main() == 0
    assert json.loads(capsys.readouterr().out)["reason"] == "terraform is not on PATH"
    monkeypatch.setenv("BELFRY_CI", "1")
    assert cycle.main() == 2
