"""Which random orders, bills, stock and purchases do the oracles of material look at?"""

from __future__ import annotations

import random
from datetime import date, timedelta

from infra.local.demo.rows import Factory
from tests.factories import Erp
from tests.oracles.reading import days_near


def generate(erp: Erp, rng: random.Random, day: date) -> None:
    """Two hundred work orders over forty materials that are scarce, bought or neither; nulls and contradictions."""
    factory = Factory(erp.conn, day)
    people = [*(erp.user() for _ in range(6)), None]
    shops = [*(erp.workshop(manager_id=person) for person in (*people[:2], None)), None]
    projects = [
        erp.project(pm_id=person, planned_end_date=days_near(rng, day, -5, 16, none=0.2)) for person in people for _ in range(2)
    ]
    projects += [erp.project(status="ST30"), erp.project(is_active=False), erp.project(is_archived=True), None]
    materials = range(1, 41)
    factory.insert(
        "erp.materials", "id material_code material_name is_key_material lead_time_days buyer_id",
        [(n, f"M-{n:02}", "直线导轨", rng.random() < 0.15 and n > 20, rng.choice((0, 3, 4, 5, 8, 10, 12, 40)), rng.choice(people)) for n in materials],
    )
    house = erp.warehouse()
    factory.insert(
        "erp.inventories", "material_id warehouse_id batch_no quantity reserved_qty frozen_qty",
        [(rng.choice(materials[:32]), house, f"B{n}", rng.choice((0, 5, 40, "12.5", 200)), rng.choice((0, 0, 10)), rng.choice((0, 0, 3)))
         for n in range(70)]
        + [(n, house, "many", 900, 0, 0) for n in materials[:14]],
    )  # fmt: skip

    def near(low: int, high: int, none: float) -> date | None:
        return days_near(rng, day, low, high, none)

    statuses = ["APPROVED", "ORDERED", "ORDERED", "PARTIAL_RECEIVED", "DRAFT", "PENDING_APPROVAL", "REJECTED", "RECEIVED", "COMPLETED", "CANCELLED"]
    factory.insert(
        "erp.purchase_orders", "id order_no project_id status required_date promised_date buyer_id",
        [(n, f"PO-{n}", *((None, "ORDERED") if n > 115 else (rng.choice(projects), rng.choice(statuses))), near(-16, 12, 0.4), near(-16, 20, 0.5), rng.choice(people))
         for n in range(1, 121)],
    )  # fmt: skip
    lines = []
    for n in range(1, 301):
        quantity = rng.choice((5, 10, 40, "7.25"))
        received = rng.choice((0, 0, 3, quantity, -1 if rng.random() < 0.2 else 0))
        lines.append((
            n, rng.randint(1, 115), rng.choice((*materials, None)), -2 if rng.random() < 0.02 else quantity, received,
            near(-16, 10, 0.5), near(-16, 20, 0.5),
        ))  # fmt: skip
    lines += [(n, n - 185, 1, 5, 5, None, None) for n in (301, 302)]  # all has come of these orders
    lines += [(n, n - 185, 1, quantity, -1, None, None) for n, quantity in ((303, 5), (304, -2))]  # and of these less than nothing
    factory.insert(
        "erp.purchase_order_items", "id order_id material_id quantity received_qty required_date promised_date", lines
    )
    machines = [erp.machine() for _ in range(12)]
    factory.insert(
        "erp.bom_headers", "id bom_no machine_id is_latest status",
        [(n, f"BOM-{n}", rng.choice((*machines, None)), rng.random() < 0.8, rng.choice(("RELEASED", "RELEASED", "DRAFT", "OBSOLETE")))
         for n in range(1, 61)],
    )  # fmt: skip
    factory.insert(
        "erp.bom_items", "id bom_id material_id quantity is_key_item",
        [(n, rng.randint(1, 54), None if rng.random() < 0.02 else rng.choice(materials), rng.choice((1, 2, 5, "0.3333")) if rng.random() > 0.02 else 0,
          rng.random() < 0.05) for n in range(1, 181)]
        + [(n, 55 + n % 4, rng.choice(materials[:17]), 1, False) for n in range(181, 211)],  # bills of many lines, nearly complete
    )  # fmt: skip
    starts = (-40, -31, -30, -9, -1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 20)
    factory.insert(
        "erp.work_orders", "id work_order_no task_name project_id machine_id bom_id workshop_id plan_qty plan_start_date plan_end_date status priority",
        [(n, f"WO-{n:03}", "装配", rng.choice(projects), rng.choice((*machines, None)), rng.choice((None, rng.randint(1, 60), rng.randint(1, 60), rng.randint(54, 60))), rng.choice(shops),
          rng.choice((None, 1, 1, 2, 4, "1.5", 0 if rng.random() < 0.1 else 1)), start, start and start + timedelta(days=rng.choice((0, 3, 10))) if rng.random() > 0.2 else None,
          rng.choice(("PENDING", "PENDING", "ASSIGNED", "ASSIGNED", "STARTED", "PAUSED", "COMPLETED", "APPROVED", "CANCELLED")),
          rng.choice(("URGENT", "HIGH", "NORMAL", "MEDIUM", "LOW", "急")))
         for n in range(1, 201) for start in [rng.choice((None, *(day + timedelta(days=offset) for offset in starts)))]],
    )  # fmt: skip
    factory.insert(
        "belfry.kit_checks", "id work_order_id check_date check_time method total_items fulfilled_items in_transit_items shortage_items kit_rate kit_status",
        [(n, n, day, factory.instant(0, "05:00"), "MANUAL", 1, 1, 0, 0, 100, "COMPLETE") for n in range(1, 200, 9)],
    )  # fmt: skip
    factory.insert(
        "belfry.material_shortages",
        "id project_id work_order_id bom_item_id material_id required_qty available_qty in_transit_qty shortage_qty required_date eta_date impact_type "
        "est_delay_days status",
        [(n, rng.choice(projects), rng.choice((None, rng.randint(1, 200))), 1000 + n, rng.choice(materials), 0 if rng.random() < 0.05 else 100, 0, 0,
          rng.choice((4, 5, 60)), near(-3, 12, 0.2), None, rng.choice(("NONE", "DELAY", "STOP", "DELIVERY")), 0,
          rng.choice(("OPEN", "OPEN", "HANDLING", "RESOLVED", "CANCELLED"))) for n in range(1, 121)],
    )  # fmt: skip
