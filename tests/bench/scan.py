"""What does it cost to find fifty thousand overdue issues among a million, and what when nothing is new?

Ours: one tick of check_overdue_issues by HTTP, a real function process; alerts, their events and what is to be told of
them, under claim and fence. The floor: the very statements of the body, said by psql in one transaction. The other:
the same effect row by row, as the ORM invites to (row_by_row.py).
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from typing import Any

import requests
from pg8000.converters import literal
from pg8000.dbapi import convert_paramstyle
from sqlalchemy import event

from infra.local.postgres import tool
from shared import db as shared_db
from tests.bench.company import DAY, JOB, SHARE, TICKS, Company
from tests.bench.instances import Instance, running
from tests.bench.report import Result, middle, spread
from tests.bench.row_by_row import row_by_row
from tests.bench.world import ROOT, World, server
from tests.conftest import request_to

FLOOR, ROWWISE, MEMORY_MB = 0.85, 200.0, 10.0
AGAIN = 0.25
FUNCTION = ROOT / "functions" / "issues" / f"{JOB}.py"


@dataclass(frozen=True)
class Scan:
    """Seconds, and megabytes that the function's process grew by."""

    first_s: float
    grown_mb: float
    unchanged_s: float
    one_percent_s: float


_AGAIN: dict[str, Callable[[Scan], float]] = {
    "0 % new": lambda scan: scan.unchanged_s,
    "1 % new": lambda scan: scan.one_percent_s,
}


def measure(world: World, *, quick: bool) -> list[Result]:
    rounds, rows, slow_rows = (3, 100_000, 300) if quick else (5, 1_000_000, 1500)
    ours: list[Scan] = []
    floors: list[float] = []
    rowwise: list[float] = []
    with server() as (own, folder):
        company = Company(own, rows)
        script = _script(company, folder / "scan.sql")
        for number in range(rounds):
            measured = [
                lambda: ours.append(_ours(world, company)),
                lambda: floors.append(_psql(company, script)),
                lambda: rowwise.append(row_by_row(company, slow_rows)),
            ]
            for run in measured[number % 3 :] + measured[: number % 3]:
                run()
    speed = [company.overdue / scan.first_s for scan in ours]
    to_floor = [floor / scan.first_s for floor, scan in zip(floors, ours, strict=True)]
    to_row_by_row = [mine / theirs for mine, theirs in zip(speed, rowwise, strict=True)]
    again = {share: [seconds(scan) / scan.first_s for scan in ours] for share, seconds in _AGAIN.items()}
    worse = max(again.values(), key=middle)
    grown = max(scan.grown_mb for scan in ours)
    return [
        Result(
            name="scan",
            ratio=middle(to_floor),
            target=f">= {FLOOR:g} of the floor, >= {ROWWISE:g}x row by row, <= {MEMORY_MB:g} MB",
            met=middle(to_floor) >= FLOOR and middle(to_row_by_row) >= ROWWISE and grown <= MEMORY_MB,
            ours={
                "alerts_per_s": middle(speed, 0),
                "grown_mb": round(grown, 1),
                "ratio_to_row_by_row": middle(to_row_by_row, 0),
                "ratio_spread": spread(to_floor),
            },
            other={
                "psql_alerts_per_s": middle([company.overdue / floor for floor in floors], 0),
                "row_by_row_per_s": middle(rowwise, 0),
            },
            runs=[round(ratio, 2) for ratio in to_floor],
        ),
        Result(
            name="rerun",
            ratio=middle(worse),
            target=f"<= {AGAIN:g} of the first run, no row written, no identity burnt",
            met=middle(worse) <= AGAIN,
            ours={
                "unchanged_s": middle([scan.unchanged_s for scan in ours]),
                "one_percent_s": middle([scan.one_percent_s for scan in ours]),
                "ratio_spread": {share: spread(ratios) for share, ratios in again.items()},
            },
            other={"first_s": middle([scan.first_s for scan in ours])},
            runs=[round(ratio, 2) for ratio in worse],
        ),
    ]


def _ours(world: World, company: Company) -> Scan:
    with ExitStack() as stack:
        url = stack.enter_context(company.copy())
        environment = {**world.environment(url=url, threads=1), "GOOGLE_CLOUD_PROJECT": "belfry-local"}
        function = stack.enter_context(running(JOB, FUNCTION, ROOT, environment))
        _ask(function, {"job": "nobody"}, 404)  # opens the connection
        before = function.memory_mb()
        first = _tick(function, 0, created=company.overdue)
        grown = function.memory_mb() - before
        engine = shared_db.new_engine(url, socket_timeout=600)
        stack.callback(engine.dispose)
        written = _written(engine)
        unchanged = _tick(function, 1, created=0)
        if _written(engine) != written:
            raise AssertionError("a scan that found nothing new wrote a row or burnt a number")
        with engine.connect() as db:
            db.exec_driver_sql(f"update erp.issues set due_date = '{DAY}'::date - 1 where id % {SHARE * 100} = 1")
        one_percent = _tick(function, 2, created=company.overdue // 100)
    return Scan(first, grown, unchanged, one_percent)


def _tick(function: Instance, number: int, *, created: int) -> float:
    began = time.monotonic()
    answer = _ask(function, {"job": JOB}, 200, TICKS[number].isoformat())
    took = time.monotonic() - began
    if (answer["state"], answer["counters"]["created"]) != ("succeeded", created):
        raise AssertionError(f"{created} alerts were to be raised: {answer}")
    return took


def _ask(function: Instance, body: dict[str, str], status: int, at: str = TICKS[0].isoformat()) -> dict[str, Any]:
    headers = {"X-CloudScheduler-JobName": body["job"], "X-CloudScheduler-ScheduleTime": at}
    answer = requests.post(function.url, json=body, headers=headers, timeout=600)
    if answer.status_code != status:
        raise AssertionError(f"{answer.status_code}: {answer.text}")
    content: dict[str, Any] = answer.json()
    return content


def _written(engine: Any) -> tuple[Any, ...]:
    """Who wrote the alerts, their events and messages, and which numbers are gone."""
    with engine.connect() as db:
        return tuple(
            db.exec_driver_sql("""
              select (select sum(hashtext(xmin::text || id)) from belfry.alert_records),
                     (select count(*) from belfry.alert_events), (select count(*) from belfry.notifications),
                     (select array_agg((schemaname, sequencename, last_value)::text order by 1) from pg_sequences)""").one()
        )


def _script(company: Company, file: Path) -> Path:
    """What the body and its fan-out say between BEGIN and the fence, as psql reads it; heard in one real run."""
    said: list[str] = []

    def hear(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        said.append(_spelled(statement, parameters))

    with company.copy() as url:
        os.environ.update(DATABASE_URL=url, GOOGLE_CLOUD_PROJECT="belfry-local")
        event.listen(shared_db.engine(), "before_cursor_execute", hear)
        function = run_path(str(FUNCTION))[JOB]
        headers = {"X-CloudScheduler-JobName": JOB, "X-CloudScheduler-ScheduleTime": TICKS[0].isoformat()}
        answer = function(request_to({"job": JOB}, headers=headers))
        shared_db.forget_engine()
    if answer.status_code != 200:
        raise AssertionError(answer.get_data(as_text=True))
    begin = next(n for n, statement in enumerate(said) if statement.startswith("begin"))
    fence = next(n for n, statement in enumerate(said) if "finish_or_refuse" in statement)
    file.write_text(";\n".join(["begin", *said[begin + 1 : fence], "commit;"]), "utf-8")
    return file


def _spelled(statement: str, parameters: Sequence[Any]) -> str:
    """The statement with its parameters written into it."""
    if not parameters:
        return statement
    numbered, _ = convert_paramstyle("format", statement, ())
    return re.sub(r"\$(\d+)", lambda found: literal(parameters[int(found[1]) - 1]), numbered)


def _psql(company: Company, script: Path) -> float:
    with company.copy() as url:
        command = [tool("psql"), url, "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", str(script)]
        began = time.monotonic()
        subprocess.run(command, check=True)
        return time.monotonic() - began
