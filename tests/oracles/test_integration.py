"""Over the random life of another system, data sync leaves what the rulebook says, and nothing else."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import Erp
from tests.oracles.integration import World, born, live_on
from tests.systems import source, systems

NINE = datetime.fromisoformat("2026-03-02T09:00+08:00")
STORED = text("""select material_code, material_name, material_type, safety_stock, lead_time_days, s.supplier_code, m.is_active
                 from erp.materials m left join erp.suppliers s on s.id = m.default_supplier_id""")


def stored(db: Connection) -> dict[str, tuple[Any, ...]]:
    return {r[0]: (r[0], r[1], r[2], float(r[3]), r[4], r[5], r[6]) for r in db.execute(STORED)}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("policy", ["SOURCE_WINS", "LOCAL_WINS"])
def test_ten_ticks_of_two_systems_that_both_change(seed: int, policy: str, db: Connection, perform: Perform) -> None:
    rng = random.Random(seed)
    expected = World(policy, {"S-1", "S-2"})
    for code in sorted(expected.suppliers):
        db.execute(text("insert into erp.suppliers (supplier_code, supplier_name) values (:c, :c)"), {"c": code})
    for number in range(5):  # stood here before anything was brought
        Erp(db).material(material_code=f"C-{number}")
    expected.stored = stored(db)
    rows = {f"K-{n}": born(rng, n, NINE - timedelta(days=1, minutes=n)) for n in range(200)}
    with systems() as other:
        source(db, "PLM", url=other.url, entity="materials", conflict_policy=policy, batch_size=40)
        for tick in range(10):
            now = NINE + timedelta(minutes=15 * tick)
            other.rows["plm"] = list(rows.values())
            answer = perform("data_sync", now.isoformat())
            assert answer["state"] == "succeeded", answer
            expected.tick(rows, now)
            assert stored(db) == expected.stored, tick
            waiting = text("select external_key, attempts, next_retry_at from belfry.sync_errors where resolved_at is null")
            aside = {key: (attempts, due) for key, (_, attempts, due) in expected.aside.items()}
            assert {r.external_key: (r.attempts, r.next_retry_at) for r in db.execute(waiting)} == aside, tick
            for code in rng.sample(sorted(expected.stored), 6):  # somebody works here, too
                db.execute(text("update erp.materials set lead_time_days = 99 where material_code = :c"), {"c": code})
                was = expected.stored[code]
                expected.stored[code] = (*was[:4], 99, *was[5:])
            live_on(rng, rows, now + timedelta(minutes=14))
            if tick == 5:
                db.execute(text("insert into erp.suppliers (supplier_code, supplier_name) values ('S-LATE', 'x')"))
                expected.suppliers.add("S-LATE")
    assert expected.aside
    assert any(ref.deleted for ref in expected.refs.values())
