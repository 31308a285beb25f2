"""Does every job of cron.yaml keep every promise of rulebook 9.1?

The cases stand in each job's own test module (tests/acceptance/ says how); a job without them fails here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest
from sqlalchemy import Connection

from shared.cronfile.loading import load
from shared.cronfile.specs import JobSpec
from tests.acceptance.asked import Promise, bad_reasons, promises
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


@pytest.mark.parametrize(("case", "promise"), list(_promised()))
def test_the_job_keeps_its_promise(case: Case, promise: Promise, db: Connection, perform: Perform) -> None:
    with case.around(db):
        promise(case, db, perform)
