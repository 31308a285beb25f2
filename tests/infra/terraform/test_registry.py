"""The plan is cron.yaml's: each entry is one function that its callers alone may call, each schedule one job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.infra.terraform.configuration import ROOT, copied, package, variables

CRON = yaml.safe_load((ROOT / "cron.yaml").read_text("utf-8"))
ENTRIES = [*CRON["jobs"], *CRON["functions"]]


@pytest.fixture
def plan() -> Iterator[dict[str, Any]]:
    """The plan that makes staging from nothing."""
    with copied() as work:
        work.terraform("init")
        package(work)
        yield work.plan(*variables("staging"))


def _values(plan: dict[str, Any], *types: str) -> list[dict[str, Any]]:
    return [change["change"]["after"] for change in plan["resource_changes"] if change["type"] in types]


def test_every_entry_is_one_function_with_one_binding_and_every_schedule_is_one_job(plan: dict[str, Any]) -> None:
    functions = [made["build_config"][0]["entry_point"] for made in _values(plan, "google_cloudfunctions2_function")]
    services = [made["name"] for made in _values(plan, "google_cloud_run_v2_service")]
    assert services == ["console"]  # Identity-Aware Proxy stands before a Cloud Run service only
    assert Counter(functions + services) == Counter(ENTRIES)

    made = _values(plan, "google_cloudfunctions2_function", "google_cloud_run_v2_service")
    bindings = _values(plan, "google_cloud_run_v2_service_iam_binding")
    assert {binding["role"] for binding in bindings} == {"roles/run.invoker"}
    assert Counter(binding["name"] for binding in bindings) == Counter(function["name"] for function in made)

    scheduled = [job for job, entry in CRON["jobs"].items() if "schedule" in entry]
    assert Counter(job["name"] for job in _values(plan, "google_cloud_scheduler_job")) == Counter(scheduled)
