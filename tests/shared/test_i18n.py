"""Every text exists in both languages, can be made from the facts its job writes, and says them in its reader's way."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from shared import i18n
from tests.conftest import ROOT

TYPES = sorted({path.name.split(".")[0] for path in i18n.FOLDER.glob("*.j2")})
FACTS: dict[str, list[dict[str, Any]]] = json.loads(Path(__file__).with_name("template_facts.json").read_text("utf-8"))
REASONS = ("NEW", "UPGRADED", "ESCALATED", "RESOLVED", "REMINDER", "DIGEST")
ESCALATION = {"from": "WARNING", "to": "CRITICAL", "count": 2, "since": "2026-03-02T01:00:00+00:00"}


@pytest.mark.parametrize("folder", ["", "reasons", "layout"])
def test_every_template_is_there_in_both_languages(folder: str) -> None:
    names = {path.name for path in (i18n.FOLDER / folder).glob("*.j2")}
    assert names
    for name in names:
        stem, _, rest = name.partition(".")
        kind = "html.j2" if rest.endswith("html.j2") else "j2"
        assert {f"{stem}.{language}.{kind}" for language in i18n.LANGUAGES} <= names


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize("type_", TYPES)
def test_every_type_has_a_text_for_the_facts_of_its_job(type_: str, language: str, reason: str) -> None:
    assert FACTS.get(type_), f"put example facts of {type_} into tests/shared/template_facts.json"
    for facts in FACTS[type_]:
        for level in ("INFO", "URGENT"):
            text = i18n.render(type_, language, {"level": level, "escalation": ESCALATION, **facts}, reason=reason)
            assert text.title
            assert text.body
            assert text.sms
            assert len(text.sms) <= i18n.SMS_LENGTH
            assert not text.sms.endswith("…"), "an SMS of everyday names is whole"
            assert "\n" not in text.title + text.sms
            for said in (text.title, text.body, text.sms):
                assert "None" not in said
                assert "{" not in said
            page = i18n.render_html(language, text, level=level, link="https://x/alerts/1", reference=None)
            assert "<h1" in page


def test_every_rule_and_type_that_jobs_use_has_its_own_words() -> None:
    """What a job raises or tells, by name in its source."""
    import ast

    used = {
        node.args[1].value
        for path in (ROOT / "functions").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("raise_alerts", "notify")
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
    }
    assert used
    assert used <= set(TYPES)


def test_a_type_without_words_of_its_own_gets_the_general_ones() -> None:
    text = i18n.render("NO_SUCH_RULE", "en", {"level": "INFO", "target_no": "X-1", "rule_name": "My rule"})
    assert text.title == "My rule: X-1"


@pytest.mark.parametrize(("locale", "language"), [("zh-CN", "zh"), ("en_GB", "en"), ("de", "zh"), (None, "zh")])
def test_any_other_language_reads_chinese(locale: str | None, language: str) -> None:
    assert i18n.language_of(locale) == language


def test_a_fact_that_is_missing_is_an_error_and_not_a_blank() -> None:
    with pytest.raises(UndefinedError, match="name_zh"):
        i18n.render("JOB_FAILED", "zh", {"level": "INFO"})


def test_levels_have_names() -> None:
    assert [i18n.level_name(level, "zh") for level in ("INFO", "WARNING", "CRITICAL", "URGENT")] == [
        "提示",
        "警告",
        "严重",
        "紧急",
    ]


FILTERS: list[tuple[str, Any, str, str]] = [
    ("day", "2026-03-02", "2026年3月2日", "2 Mar 2026"),
    ("day", date(2026, 12, 31), "2026年12月31日", "31 Dec 2026"),
    ("day", None, "—", "—"),
    ("moment", "2026-03-01T23:30:00+00:00", "2026年3月2日 07:30", "2 Mar 2026 07:30"),
    ("moment", datetime(2026, 3, 1, 23, 30, tzinfo=UTC), "2026年3月2日 07:30", "2 Mar 2026 07:30"),
    ("number", 1234567.5, "1,234,567.5", "1,234,567.5"),
    ("number", "3.0000", "3", "3"),
    ("number", Decimal("0.005"), "0", "0"),
    ("number", 100, "100", "100"),
    ("number", None, "—", "—"),
    ("percent", 62.55, "62.6%", "62.6%"),
    ("level", "URGENT", "紧急", "Urgent"),
]


@pytest.mark.parametrize(("name", "value", "zh", "en"), FILTERS)
def test_dates_numbers_and_levels_are_written_as_their_reader_writes_them(
    name: str, value: Any, zh: str, en: str
) -> None:
    assert [i18n._environment(language).filters[name](value) for language in i18n.LANGUAGES] == [zh, en]


def test_an_instant_is_told_in_the_readers_zone() -> None:
    moment = i18n._environment("en").filters["moment"]
    assert moment("2026-03-01T23:30:00+00:00", "America/New_York") == "1 Mar 2026 18:30"


def test_long_names_never_make_a_long_sms_or_title() -> None:
    text = i18n.render("ALERT", "zh", {"level": "INFO", "target_no": "长" * 300, "target_name": "名" * 300})
    assert (len(text.sms), len(text.title)) == (i18n.SMS_LENGTH, i18n.TITLE_LENGTH)
    assert text.sms.endswith("…")


def test_nothing_in_a_fact_breaks_a_line_or_turns_the_writing() -> None:
    text = i18n.render("ALERT", "zh", {"level": "INFO", "target_no": "a\r\nb\u202ec\x00d", "target_name": "\u2028e"})
    assert text.title == "预警：a b c d e"


def test_importing_the_module_does_not_load_jinja2() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, shared.i18n; print('jinja2' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert seen.stdout.strip() == "False"


def test_a_report_shows_tables_and_bars_and_escapes_every_fact(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from shutil import copytree

    copytree(i18n.FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "REPORT.en.j2").write_text("""{% block title %}T{% endblock %}{% block body %}B{% endblock %}
        {% block sms %}S{% endblock %}{% block html %}{% from "parts/charts.j2" import table, bars %}
        {{ table(["Shop", "Done"], [[name, 5]]) }}{{ bars("Done", [(name, 5, "5 %", None)], 10) }}{% endblock %}""")
    monkeypatch.setattr(i18n, "FOLDER", tmp_path)
    i18n._environment.cache_clear()
    text = i18n.render("REPORT", "en", {"level": "INFO", "name": "<b>\u202eA&B</b>"})
    page = i18n.render_html("en", text, level="INFO", link=None, reference=None)
    i18n._environment.cache_clear()
    assert page.count("&lt;b&gt; A&amp;B") == 2
    assert "<b>" not in page
    assert "width:50.0%" in page
    assert ">B<" not in page  # the report stands in the body's place
