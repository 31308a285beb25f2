"""Whoever moves a schedule or gives a job away says why, in the file, at the line that is named."""

import pytest

from infra.check import checklist
from tests.infra.check.world import FILE, edited, read, without

AT_TEN = '"0 10 * * *"'


@pytest.mark.parametrize(
    ("edits", "says"),
    [
        ([(AT_TEN, '"30 10 * * *"')], ["16:15 check_cost.reason: is missing; say why: schedule '0 10 * * *' -> '30 10 * * *'"]),
        ([(AT_TEN, f"{AT_TEN}\n    time_zone: UTC")], ["17:16 check_cost.reason: is missing; say why: time_zone 'Asia/Shanghai' -> 'UTC'"]),
        ([(AT_TEN, f"{AT_TEN}\n    calendar: cn_workdays")], ["17:15 check_cost.reason: is missing; say why: calendar 'every_day' -> 'cn_workdays'"]),
        ([("finance@", "sales@")], ["15:12 check_cost.reason: is missing; say why: owner 'finance@example.com' -> 'sales@example.com'"]),
        (
            [(AT_TEN, '"0 9 * * *"'), ("finance@", "sales@")],
            ["16:15 check_cost.reason: is missing; say why: schedule '0 10 * * *' -> '0 9 * * *', owner 'finance@example.com' -> 'sales@example.com'"],
        ),
        (
            [('"*/30 * * * *"', '"*/15 * * * *"')],
            ["49:13 sync.reason: is still the one from before; say why this changed: schedule '*/30 * * * *' -> '*/15 * * * *'"],
        ),
        (
            [("    reason: lorries come by the half hour\n", ""), ('"*/30 * * * *"', '"*/15 * * * *"')],
            ["48:15 sync.reason: is missing; say why: schedule '*/30 * * * *' -> '*/15 * * * *'"],
        ),
        (
            [(AT_TEN, '"30 10 * * *"'), ('"0 6 * * *"', '"0 5 * * *"')],
            [
                "16:15 check_cost.reason: is missing; say why: schedule '0 10 * * *' -> '30 10 * * *'",
                "29:15 check_kit.reason: is missing; say why: schedule '0 6 * * *' -> '0 5 * * *'",
            ],
        ),
        ([(AT_TEN, '"30 10 * * *"\n    reason: postings arrive at 10:15')], []),
        ([('"*/30 * * * *"', '"*/15 * * * *"'), ("by the half hour", "all the time")], []),
        ([("warning: 80", "warning: 85"), ("timeout: 120", "timeout: 60\n    window: 10m\n    enabled: false")], []),
        ([("    reason: lorries come by the half hour\n", "")], []),
        ([("  sync:", "  exchange:"), ('"*/30 * * * *"', '"*/15 * * * *"')], []),
    ],
)  # fmt: skip
def test_what_is_sensitive_needs_a_reason_of_its_own(edits: list[tuple[str, str]], says: list[str]) -> None:
    found = checklist.missing(read(FILE), read(edited(*edits)))
    assert [str(problem) for problem in found] == [f"cron.yaml:{line}" for line in says]


def test_a_default_that_moves_every_job_is_asked_for_where_it_stands() -> None:
    found = checklist.missing(read(FILE), read(edited(("grace: 300,", "grace: 300, time_zone: UTC,"))))
    assert {(problem.line, problem.column) for problem in found} == {(3, 24)} | {(49, 13)}
    assert {problem.where for problem in found} == {f"{job}.reason" for job in read(FILE).jobs}


def test_a_job_that_is_new_or_gone_explains_nothing() -> None:
    assert checklist.missing(read(without("check_cost")), read(FILE)) == []
    assert checklist.missing(read(FILE), read(without("check_cost"))) == []
