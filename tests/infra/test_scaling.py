"""infra/scaling.md says what fills up first: its figures are still those of cron.yaml, of the code and of each other."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from infra.check.workload import DAYS, Workload
from shared import scheduler_api
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFile

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "infra" / "scaling.md").read_text("utf-8")
NEAR = Decimal("0.15")  # a few jobs more change no conclusion
RESERVED, REGION_FUNCTIONS, REGION_JOBS = 20, 1000, 5000


@pytest.fixture(scope="module")
def file() -> CronFile:
    return load(ROOT / "cron.yaml")


def row(begins: str) -> list[str]:
    """The cells of a row behind its name."""
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {begins}"))
    return [cell.strip() for cell in line.strip("| ").split("|")][1:]


def number(cell: str) -> Decimal:
    found = re.search(r"\d[\d,.]*\d|\d", cell)
    assert found is not None, cell
    return Decimal(found[0].replace(",", ""))


def near(said: Decimal, is_: Decimal | int) -> bool:
    return abs(said - is_) <= NEAR * is_


def business(file: CronFile) -> int:
    return sum(job.category != "platform" for job in file.jobs.values())


def used(file: CronFile, factor: int) -> int:
    jobs = file.jobs.values()
    mine = sum(job.max_instances * job.pool for job in jobs if job.category != "platform")
    return file.connections_used + (factor - 1) * mine


@pytest.mark.parametrize(("place", "factor"), [(0, 1), (1, 10), (2, 100)])
def test_the_growing_figures_are_those_of_cron_yaml(file: CronFile, place: int, factor: int) -> None:
    more = (factor - 1) * business(file)
    ticks = sum(Workload.read().calls(job, file).all for job in file.jobs.values() if job.category != "platform")
    assert near(number(row("business jobs")[place]), business(file) * factor)
    assert near(number(row("connections")[place]), used(file, factor))
    assert near(number(row("deployed functions")[place]), len(file.jobs) + len(file.functions) + more)
    assert near(number(row("Cloud Scheduler jobs")[place]), len(file.jobs) + more)
    assert near(number(row("business ticks a day")[place]), factor * ticks // DAYS)


def test_what_fills_up_first_does(file: CronFile) -> None:
    others = used(file, 1) - (used(file, 2) - used(file, 1))
    connections = Decimal(file.connections - RESERVED - others) / (used(file, 2) - used(file, 1))
    functions = Decimal(REGION_FUNCTIONS - len(file.jobs) - len(file.functions)) / business(file) + 1
    scheduler = Decimal(REGION_JOBS - len(file.jobs)) / business(file) + 1
    said = [number(row(name)[-1].removeprefix("**x ")) for name in ("connections", "deployed functions")]
    said.append(number(row("Cloud Scheduler jobs")[-1]))
    assert all(near(figure, is_) for figure, is_ in zip(said, (connections, functions, scheduler), strict=True))
    assert said == sorted(said), "another limit comes first now: the page tells them in the wrong order"


def test_the_limits_are_those_of_the_code_and_of_terraform(file: CronFile) -> None:
    assert number(row("connections")[-2]) == file.connections
    assert f"at {scheduler_api.WRITES} writes a minute" in PAGE
    platform = (ROOT / "infra" / "migrations" / "sql" / "0001_platform.sql").read_text("utf-8")
    slots = re.search(r"'scheduler.run_slots', '(\d+)'", platform)
    assert slots is not None
    assert number(row("runs begun")[-2]) == int(slots[1])
    variables = (ROOT / "infra" / "variables.tf").read_text("utf-8")
    assert re.search(rf'variable "database_reserve" {{.*?default +=\s{RESERVED}\n', variables, re.DOTALL)
    kicks = file.jobs["sweep_runs"].params["kicks"]
    assert f"starts {kicks} at a time" in PAGE
    assert f"{file.jobs['sweep_runs'].timeout} s timeout" in PAGE
