"""What all jobs together ask for: crowded minutes, connections, clocks that change."""

from datetime import date

import pytest

from infra.check import clocks, collisions, connections
from tests.infra.check.world import AT, FILE, edited, read, without

UNTIL = date(2026, 12, 31)


def crowd(*minutes: int, schedule: str = "{} 10 * * *") -> str:
    """The file with one more job for each of the minutes, at ten."""
    job = FILE[FILE.index("  check_cost:") : FILE.index("  check_kit:")]
    return FILE + "".join(
        job.replace("check_cost", f"crowd_{number}").replace("0 10 * * *", schedule.format(minute))
        for number, minute in enumerate(minutes)
    )


def test_a_minute_that_gets_its_fifth_job_is_worse() -> None:
    found = collisions.section(read(crowd(0, 0)), read(crowd(0, 0, 0)))
    assert found.title == "collisions: 1 minute with 5 or more jobs (1 worse, 0 better), Asia/Shanghai"
    assert found.lines == (
        "worse 10:00: 4 -> 5 jobs start together, + crowd_2 (beside check_cost, sync, crowd_0, crowd_1)",
        "the busiest: 10:00 (5 jobs), 06:00 (2 jobs), 07:00 (2 jobs)",
    )


def test_a_minute_that_loses_a_job_is_better() -> None:
    found = collisions.section(read(crowd(0, 0, 0, 0)), read(crowd(0, 0, 30, 0)))
    assert found.title == "collisions: 1 minute with 5 or more jobs (0 worse, 1 better), Asia/Shanghai"
    assert (
        found.lines[0]
        == "better 10:00: 6 -> 5 jobs start together, - crowd_2 (beside check_cost, sync, crowd_0, crowd_1, crowd_3)"
    )
    assert found.facts == {
        "crowded": {"10:00": ["check_cost", "sync", "crowd_0", "crowd_1", "crowd_3"]}, "worse": 0, "better": 1,
    }  # fmt: skip


def test_fewer_than_five_jobs_are_no_crowd_however_they_move() -> None:
    found = collisions.section(read(crowd(0)), read(crowd(30)))
    assert found.title == "collisions: no minutes with 5 or more jobs, as before, Asia/Shanghai"


def test_jobs_of_different_days_do_not_meet() -> None:
    apart = collisions.section(None, read(crowd(1, 2, 3, schedule="0 10 {} * *")))
    assert apart.title == "collisions: no minutes with 5 or more jobs, Asia/Shanghai"
    assert apart.lines == ("the busiest: 10:00 (3 jobs), 06:00 (2 jobs), 07:00 (2 jobs)",)


def test_the_connections_of_all_functions_are_summed_up() -> None:
    found = connections.section(read(FILE), read(FILE))
    assert found.title == "connections: 18 of 40 (45%) when every function runs at its most"
    assert found.lines == ("the most: console 8, check_cost 2, check_kit 2, check_shortage 2, sum_up 2",)


def test_who_takes_more_connections_is_named() -> None:
    found = connections.section(
        read(FILE), read(edited(("max_instances: 4", "max_instances: 9"), ("timeout: 120", "pool: 1")))
    )
    assert found.title == "connections: 27 of 40 (68%) when every function runs at its most, before 18 of 40"
    assert found.lines[:2] == ("console: 8 -> 18", "check_cost: 2 -> 1")
    assert found.facts == {"used": 27, "there": 40, "before": 18}
    gone = connections.section(read(FILE), read(without("check_cost")))
    assert gone.lines[0] == "check_cost: 2 -> 0"
    many = connections.section(read(FILE), read(edited(("pool: 2", "pool: 3"))))
    assert (len(many.lines), many.lines[5]) == (7, "and 1 more")


@pytest.mark.parametrize(
    ("schedule", "spring", "autumn"),
    [
        ("30 2 * * *", "its 02:30 does not exist and rings at 03:00 instead", "its 02:30 comes twice and rings the first time only"),
        ("*/20 2 * * *", "its 02:00 does not exist and does not ring", "its 02:00 comes twice and rings twice"),
        ("0 2 * * *", "its 02:00 does not exist and rings at 03:00 instead", "its 02:00 comes twice and rings the first time only"),
        ("0 10 * * *", "rings as always by its zone's clock", "rings as always by its zone's clock"),
    ],
)  # fmt: skip
def test_clock_changes_are_told_with_their_dates(schedule: str, spring: str, autumn: str) -> None:
    now = read(edited(('"0 10 * * *"', f'"{schedule}"\n    time_zone: Europe/Berlin'), (', finish_by: "11:00"', "")))
    found = clocks.section(now, AT.replace(minute=52, second=31), UNTIL)
    assert found.title == "clock changes to 2027-03-03: 2 in Europe/Berlin, none in Asia/Shanghai"
    assert found.lines == (
        "2026-03-29 03:00 Europe/Berlin: the clocks go forward by 60 min", f"  check_cost: {spring}",
        "2026-10-25 02:00 Europe/Berlin: the clocks go back by 60 min", f"  check_cost: {autumn}",
    )  # fmt: skip
    assert found.facts["moved"] == {"check_cost": {"2026-03-29": spring, "2026-10-25": autumn}}


def test_zones_that_keep_their_clocks_are_one_line_and_workdays_say_where_they_end() -> None:
    assert clocks.section(read(FILE), AT, UNTIL).lines == ()
    assert clocks.section(read(FILE), AT, UNTIL).title == "clock changes to 2027-03-03: none in Asia/Shanghai"
    gated = clocks.section(read(edited(('"0 10 * * *"', '"0 10 * * *"\n    calendar: cn_workdays'))), AT, UNTIL)
    assert gated.lines == ("Chinese workdays are published to 2026-12-31: check_cost",)
