"""Does every job of cron.yaml keep every promise of rulebook 9.1?

The cases stand in each job's own test module (tests/acceptance/ says how); a job without them fails here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Connection

from shared.cronfile.loading import load
from shared.cronfile.specs import JobSpec
from tests.acceptance.asked import Promise, bad_reasons, promises, unproved_rules
from tests.acceptance.cases import AlertJob, Case, RowsJob
from tests.conftest import ROOT, Perform

JOBS = dict(load(ROOT / "cron.yaml").jobs)


def _module(spec: JobSpec) -> ModuleType:
    return importlib.import_module(f"tests.functions.{spec.category}.test_{spec.id}")


def _promised() -> Iterator[object]:
    for spec in JOBS.values():
        try:
            cases = _module(spec).CASES
        except (ModuleNotFoundError, AttributeError):
            continue  # told below
        for case in cases:
            for promise in promises(case):
                yield pytest.param(case, promise, id=f"{case}-{promise.__name__}")


@pytest.mark.parametrize("job_id", JOBS)
def test_every_job_has_cases_and_a_good_reason_for_what_does_not_apply(job_id: str) -> None:
    module = _module(JOBS[job_id])
    cases = getattr(module, "CASES", [])
    assert cases, f"{module.__name__} has no CASES"
    for case in cases:
        assert isinstance(case, AlertJob | RowsJob)
        assert case.job_id == job_id
        assert bad_reasons(case, module) == []


@pytest.mark.parametrize("job_id", JOBS)
def test_every_rule_that_a_job_raises_has_a_case_or_a_good_reason(job_id: str) -> None:
    source = (ROOT / f"functions/{JOBS[job_id].category}/{job_id}.py").read_text("utf-8")
    assert unproved_rules(source, _module(JOBS[job_id])) == []


@pytest.mark.parametrize("reason", [
    "", "one level", "one level: ", "one level: yes", "because: it is not needed here", "no day: hours decide about it",
    "proved by test_that_is_not_there: it is", "proved by test_the_job_keeps_its_promise", "proved by _module: it is no test",
])  # fmt: skip
def test_an_exception_without_a_good_reason_fails(reason: str) -> None:
    promise = "a_worse_level_upgrades_the_same_alert_and_tells_once"
    case = AlertJob("j", "R", clock="09:00", violate=_never, clear=_never, multiply=_never, reasons={promise: reason})
    assert len(bad_reasons(case, sys.modules[__name__])) == 1


def test_a_reason_of_the_right_kind_or_with_a_proof_is_good_and_one_for_nothing_is_not() -> None:
    promise = "a_worse_level_upgrades_the_same_alert_and_tells_once"
    for reason in ("one level: it has no other", "proved by test_the_job_keeps_its_promise: in its own way"):
        case = AlertJob("j", "R", clock="09:00", violate=_never, clear=_never, multiply=_never, reasons={promise: reason})
        assert bad_reasons(case, sys.modules[__name__]) == []
    rows = RowsJob("j", clock="09:00", arrange=_never, multiply=_never, made=_never, reasons={promise: "one level: it has none"})
    assert len(bad_reasons(rows, sys.modules[__name__])) == 1


def test_a_rule_without_a_case_is_found() -> None:
    module = ModuleType("m")
    module.CASES = [AlertJob("j", "ONE", clock="09:00", violate=_never, clear=_never, multiply=_never)]
    module.test_two = _never
    module.RULES_PROVED_HERE = {"TWO": "proved by test_two: in its own way", "THREE": "proved by test_three: not there", "FOUR": "no"}
    source = "\n".join(f'raise_alerts(\n    run, "{rule}", x)' for rule in ("ONE", "TWO", "THREE", "FOUR", "FIVE"))
    assert unproved_rules(source, module) == ["FIVE", "FOUR", "THREE"]


def _never(*given: Any) -> Any:
    raise AssertionError("nobody runs this case")


@pytest.mark.parametrize(("case", "promise"), list(_promised()))
def test_the_job_keeps_its_promise(case: Case, promise: Promise, db: Connection, perform: Perform) -> None:
    with case.around(db):
        promise(case, db, perform)
