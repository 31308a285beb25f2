"""Over the demo factory and the systems beside it, data sync finds exactly what the sources' names promise."""

import re
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra.local.demo import integration, populate
from tests.conftest import Perform, _forget_process_state
from tests.evidence import alerts
from tests.systems import TOKEN, systems

DAYS = [date(2026, 3, 2), date(2026, 11, 22)]
PROMISE = re.compile(r"：([A-Z]+)）$")


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_source_does_what_its_name_says(
    day: date, db: Connection, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(db, day)
    with systems() as others:
        others.rows.update({name: list(rows) for name, rows in integration.rows(day).items()})
        others.faults.update(integration.FAULTS)
        monkeypatch.setenv("BELFRY_URL", others.url)
        monkeypatch.setenv(f"CREDENTIAL_{integration.CREDENTIAL}", TOKEN)
        _forget_process_state()
        first = perform("data_sync", f"{day}T08:00+08:00")
        again = perform("data_sync", f"{day}T08:15+08:00")
    sources = db.execute(text("select source_code, source_name from belfry.sync_sources"))
    promised = {s.source_code: said[1] for s in sources if (said := PROMISE.search(s.source_name))}
    assert {a["target_no"]: a["base_level"] for a in alerts(db) if a["rule_code"] == "SYNC_FAILED"} == promised
    assert promised == {"MRP-OLD": "CRITICAL", "SRM-SUPPLIER": "CRITICAL"}
    counted: dict[str, Any] = first["counters"]
    assert (counted["created"], counted["bad"]) == (2 + 28 + 11 + 2, 2)  # the last two: alerts
    assert (again["counters"]["created"], again["counters"].get("updated", 0)) == (0, 1)  # the failed runs of an alert
