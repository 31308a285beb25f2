"""Both languages say the same things, and everything the console may say is there in both."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from functions.console.language import texts
from functions.console.queries import alerts, executions, jobs
from tests.conftest import ROOT

CONSOLE = ROOT / "functions" / "console"
SOURCES = [*CONSOLE.rglob("*.py"), *(CONSOLE / "templates").iterdir()]
SQL = "".join(path.read_text("utf-8") for path in sorted((ROOT / "infra" / "migrations" / "sql").glob("*.sql")))


def allowed(table: str, column: str) -> set[str]:
    """What a check constraint lets a column hold."""
    body = re.search(rf"create table belfry\.{table} \((.*?)\);\n", SQL, re.S)
    assert body
    found = re.search(rf"\n  {column} [^\n]*?check \({column} in \((.*?)\)\)", body[1], re.S)
    assert found
    return set(re.findall(r"'(\w+)'", found[1]))


def test_both_languages_have_the_same_keys() -> None:
    assert sorted(texts("zh")) == sorted(texts("en"))


def test_both_languages_fill_in_the_same_values() -> None:
    places = {
        language: {key: sorted(re.findall(r"{(\w+)}", said)) for key, said in texts(language).items()}
        for language in ("zh", "en")
    }
    assert places["zh"] == places["en"]


def test_no_text_is_empty_and_none_is_in_the_other_language() -> None:
    assert all(said.strip() for said in texts("en").values())
    assert [key for key, said in texts("en").items() if re.search("[\u4e00-\u9fff]", said)] == []


def counted() -> set[str]:
    """The counters that bodies name: `run.count(name=...)`."""
    sources = [path for folder in ("functions", "shared") for path in (ROOT / folder).rglob("*.py")]
    calls = [node for path in sources for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return {
        given.arg
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "count" and ast.unparse(call.func.value) in ("run", "self")
        for given in call.keywords
        if given.arg
    }


def test_every_counter_has_a_word() -> None:
    found = counted()
    assert {"checked", "data_defects", "no_budget", "second_counts"} <= found
    assert {name for name in found if f"counter.{name}" not in texts("zh")} == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_text_that_is_asked_for_exists(path: Path) -> None:
    source = path.read_text("utf-8")
    asked = set(re.findall(r"""\b(?:t|either)\(\s*['"]([\w.]+\w)['"]\s*[,)]""", source)) | set(
        re.findall(r'say\(language, "([\w.]+)"[,)]', source)
    )
    assert asked <= set(texts("zh"))


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("state", {*executions.STATES, *jobs.STATES}),
        ("kind", set(executions.KINDS)),
        ("level", set(alerts.LEVELS)),
        ("status", set(alerts.STATUSES)),
        ("state", allowed("job_executions", "state")),
        ("reason", allowed("job_executions", "reason")),
        ("kind", allowed("job_executions", "kind")),
        ("risk", allowed("jobs", "risk")),
        ("overlap", allowed("jobs", "overlap")),
        ("catchup", allowed("jobs", "catchup")),
        ("items", allowed("execution_items", "status")),
        ("status", allowed("alert_records", "status")),
        ("event", allowed("alert_events", "event")),
        ("occasion", allowed("notifications", "reason")),
        ("delivery", allowed("notification_deliveries", "state")),
        ("channel", allowed("notification_deliveries", "channel")),
        (
            "category",
            {path.name for path in (ROOT / "functions").iterdir() if path.is_dir() and path.name != "__pycache__"},
        ),
        (
            "invariant",
            {name.removeprefix("v_invariant_") for name in re.findall(r"create view belfry\.(v_invariant_\w+)", SQL)},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_word_of_the_database_has_its_text(group: str, values: set[str]) -> None:
    assert {f"{group}.{value}" for value in values} <= set(texts("zh"))


def test_every_invariant_is_looked_at() -> None:
    looked = (CONSOLE / "queries" / "health.py").read_text("utf-8")
    for view in re.findall(r"create view belfry\.(v_invariant_\w+)", SQL):
        assert re.search(rf"belfry\.{view}\b", looked)


def test_every_category_of_cron_yaml_has_a_name() -> None:
    declared = yaml.safe_load((ROOT / "cron.yaml").read_text("utf-8"))
    assert {f"category.{job['category']}" for job in declared["jobs"].values()} <= set(texts("zh"))
