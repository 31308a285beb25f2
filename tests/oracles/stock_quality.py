"""What should the jobs of stock, quality and outsourcing find? The rulebook row by row, over random rows."""

from __future__ import annotations

import random
import re
import unicodedata
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from difflib import SequenceMatcher
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from infra.local.demo.rows import Factory
from tests.factories import Erp

SHANGHAI = ZoneInfo("Asia/Shanghai")
LEVELS = ("INFO", "WARNING", "CRITICAL", "URGENT")
OPEN = ("PENDING", "ACKNOWLEDGED", "PROCESSING")
Row = Any
Alerts = dict[int, tuple[str, set[str]]]  # target: level and recipients


def rows(db: Connection, table: str) -> list[Row]:
    return list(db.execute(text(f"select * from {table} order by 1")))


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


def rounded(number: Decimal, places: str) -> Decimal:
    return number.quantize(Decimal(places), ROUND_HALF_UP)


def people_and_projects(erp: Erp) -> tuple[list[int | None], list[int | None]]:
    """A few people, and projects that are alive, over, put away, or none."""
    people = [erp.user() for _ in range(6)]
    projects = [erp.project(pm_id=person) for person in people[:3]]
    projects += [erp.project(status="ST30"), erp.project(is_active=False), erp.project(is_archived=True), erp.project(pm_id=None)]
    return [*people, None], [*projects, None]


def alive(db: Connection) -> dict[int | None, Row]:
    """The projects that jobs look at; a row without a project counts."""
    found = {p.id: p for p in rows(db, "erp.projects") if p.is_active and not p.is_archived and p.status not in ("ST30", "ST99")}
    return {None: None, **found}


# ---------------------------------------------------------------- job 21
def make_outsourcing(erp: Erp, rng: random.Random, day: date) -> None:
    people, projects = people_and_projects(erp)
    vendor = erp.supplier()
    statuses = ("DRAFT", "CONFIRMED", "IN_PROGRESS", "IN_PROGRESS", "DELIVERED", "INSPECTED", "COMPLETED", "CANCELLED")

    def near(choices: range) -> date | None:
        return rng.choice([None, *(day + timedelta(days=n) for n in choices)])

    Factory(erp.conn, day).insert(
        "erp.outsourcing_orders", "id order_no order_title vendor_id project_id buyer_id status required_date estimated_date actual_date",
        [(number, f"OS-{number}", None, rng.choice([vendor, None]), rng.choice(projects), rng.choice(people), rng.choice(statuses),
          near(range(-12, 8)), near(range(-15, 15)), rng.choice([None] * 4 + [day - timedelta(days=1), day, day + timedelta(days=1)]))
         for number in range(1, 401)],
    )  # fmt: skip


def outsourcing(db: Connection, day: date) -> Alerts:
    projects, found = alive(db), {}
    for order in rows(db, "erp.outsourcing_orders"):
        if order.status not in ("CONFIRMED", "IN_PROGRESS") or order.project_id not in projects:
            continue
        if order.required_date is None or order.actual_date is not None:
            continue
        late = (day - order.required_date).days
        if late > 7:
            level = "URGENT"
        elif late >= 1:
            level = "CRITICAL"
        elif late >= -3 or (order.estimated_date and order.estimated_date > order.required_date):
            level = "WARNING"
        else:
            continue
        project = projects[order.project_id]
        told = {f"USER:{person}" for person in (order.buyer_id, project and project.pm_id) if person}
        found[order.id] = (level, told | ({"ROLE:PROC"} if late > 0 else set()))
    return found


# ---------------------------------------------------------------- job 24
def make_shortage_day(erp: Erp, rng: random.Random, day: date) -> None:
    """Two months of shortages, their alerts and histories, reports, kit checks and deliveries around `day`."""
    factory = Factory(erp.conn, day)
    people, _ = people_and_projects(erp)
    shops = [erp.workshop(daily_hours=hours) for hours in (8, Decimal("10.5"))]
    orders = [erp.work_order(workshop_id=rng.choice([*shops, None])) for _ in range(12)]
    statuses = ("PENDING", "ACKNOWLEDGED", "PROCESSING", "RESOLVED", "RESOLVED", "CLOSED", "IGNORED", "EXPIRED")

    def near(first: int, last: int) -> datetime:
        """Any minute from day+first to day+last, midnights more often than others."""
        minute = rng.choice([0, 0, 1439, rng.randrange(1440), rng.randrange(1440)])
        return midnight(day + timedelta(days=rng.randint(first, last))) + timedelta(minutes=minute)

    factory.insert(
        "belfry.material_shortages",
        "id work_order_id bom_item_id material_id required_qty available_qty in_transit_qty shortage_qty required_date impact_type est_delay_days "
        "status created_at updated_at",
        [(number, rng.choice([*orders, None]), None, 1000 + number, 10, 0, 0, rng.randint(1, 9),
          rng.choice([None, *(day + timedelta(days=n) for n in range(-3, 4))]), rng.choice(("NONE", "DELAY", "STOP", "STOP", "DELIVERY")),
          rng.choice([None, 0, 3, 12]), "OPEN", near(-3, 2), near(-3, 2)) for number in range(1, 301)],
    )  # fmt: skip
    rule = erp.conn.execute(text("select id from belfry.alert_rules where rule_code = 'MATERIAL_SHORTAGE'")).scalar_one()
    other = erp.conn.execute(text("select id from belfry.alert_rules where rule_code = 'KIT_RATE_LOW'")).scalar_one()
    alerts, events = [], []
    for number in range(1, 301):
        since, status = near(-4, 1), rng.choice(statuses)
        acknowledged = since + timedelta(minutes=rng.randrange(3000)) if rng.random() < 0.5 else None
        started = since + timedelta(minutes=rng.randrange(3000)) if rng.random() < 0.3 else None
        ended = since + timedelta(minutes=rng.randrange(5000))
        by = rng.choice([None, 7])
        resolved = ended if status in ("RESOLVED", "EXPIRED") or (status == "CLOSED" and rng.random() < 0.5) else None
        alerts.append((
            number, f"AL-{number}", rule if rng.random() < 0.95 else other, f"k{number}", "MATERIAL_SHORTAGE", number, rng.choice(LEVELS),
            rng.choice(LEVELS), status, since, since, acknowledged, started, resolved, by if status != "EXPIRED" and resolved else None, {}, [], 1, 0,
        ))
        history = []
        for _ in range(rng.choice([0, 0, 1, 2])):
            history.append((rng.choice(("ESCALATED", "UPGRADED")), since + timedelta(minutes=rng.randrange(4000)), rng.choice(LEVELS[:3])))
        if status not in OPEN and rng.random() < 0.7:
            name = {"RESOLVED": "AUTO_RESOLVED" if by is None else "RESOLVED"}.get(status, status)
            if status == "CLOSED" and resolved:
                history.append(("RESOLVED", ended, None))
                history.append(("CLOSED", ended + timedelta(hours=rng.randrange(40)), None))
            else:
                history.append((name, ended, None))
        events += [(number, *one) for one in sorted(history, key=lambda one: one[1])]
    factory.insert(
        "belfry.alert_records",
        "id alert_no rule_id dedupe_key target_type target_id base_level alert_level status triggered_at level_changed_at acknowledged_at "
        "handle_start_at resolved_at resolved_by facts recipients version escalation_count", alerts,
    )  # fmt: skip
    factory.insert("belfry.alert_events", "alert_id event at from_level id", [(a, e, at, f, n) for n, (a, e, at, f) in enumerate(events, 1)])
    factory.insert(
        "erp.shortage_reports", "report_no report_time resolved_at status",
        [(f"SR-{number}", near(-3, 1), rng.choice([None, near(-2, 1)]), "OPEN") for number in range(80)],
    )
    factory.insert(
        "belfry.kit_checks",
        "id work_order_id check_date check_time method total_items fulfilled_items in_transit_items shortage_items kit_rate kit_status can_start",
        [(100 * offset + 10 * n + again, order, day + timedelta(days=offset - 1), near(-1, 0), "MANUAL" if again else "AUTO", 4, 2, 0, 2,
          rate, "NO_BOM" if rate is None else "COMPLETE" if rate == 100 else "SHORTAGE", False)
         for offset in (0, 1, 2) for n, order in enumerate(orders[:8], 1) for again in range(rng.choice([1, 1, 3]))
         for rate in (rng.choice([None, 0, 33.33, 50.5, 100, 100, 100]),)],
    )  # fmt: skip
    _deliveries(erp, rng, day, factory, people)


def _deliveries(erp: Erp, rng: random.Random, day: date, factory: Factory, people: list[int | None]) -> None:
    supplier, materials = erp.supplier(), [erp.material() for _ in range(5)]
    statuses = ("DRAFT", "APPROVED", "ORDERED", "ORDERED", "PARTIAL_RECEIVED", "RECEIVED", "COMPLETED", "CANCELLED")

    def around() -> date | None:
        return rng.choice([None, *(day + timedelta(days=n) for n in (-2, -1, -1, 0, 0, 1))])

    factory.insert(
        "erp.purchase_orders", "id order_no supplier_id buyer_id status required_date promised_date",
        [(number, f"PO-{number}", supplier, rng.choice(people), rng.choice(statuses), around(), around()) for number in range(1, 121)],
    )
    lines = [
        (number, rng.randint(1, 120), rng.choice(materials), rng.choice([5, 10]), rng.choice([0, 0, 4, 10]), around(), around(), factory.instant(-9))
        for number in range(1, 301)
    ]
    factory.insert("erp.purchase_order_items", "id order_id material_id quantity received_qty required_date promised_date updated_at", lines)
    factory.insert(
        "erp.goods_receipts", "id receipt_no order_id receipt_date status",
        [(number, f"GR-{number}", rng.randint(1, 120), day + timedelta(days=rng.randint(-2, 1)), rng.choice(("RECEIVED", "RECEIVED", "CANCELLED")))
         for number in range(1, 101)],
    )  # fmt: skip
    factory.insert(
        "erp.goods_receipt_items", "id receipt_id order_item_id received_qty expected_date",
        [(number, rng.randint(1, 100), rng.randint(1, 300), rng.choice([-1, 0, 1, 4, 10]), around()) for number in range(1, 241)],
    )


def shortage_day(db: Connection, day: date, default_hours: Decimal = Decimal(8)) -> dict[str, Any]:
    """The report of `day`, figure by figure."""
    since, until = midnight(day), midnight(day + timedelta(days=1))

    def within(instant: datetime | None) -> bool:
        return instant is not None and since <= instant < until

    rule = db.execute(text("select id from belfry.alert_rules where rule_code = 'MATERIAL_SHORTAGE'")).scalar_one()
    shortages = {s.id: s for s in rows(db, "belfry.material_shortages")}
    history = defaultdict(list)
    for event in rows(db, "belfry.alert_events"):
        history[event.alert_id].append(event)
    count: dict[str, Any] = defaultdict(int)
    minutes, hours = [], []
    for alert in rows(db, "belfry.alert_records"):
        if alert.rule_id != rule or alert.triggered_at >= until:
            continue
        new = within(alert.triggered_at)
        count["new_alerts"] += new
        end = None
        if alert.status not in OPEN:
            ends = [e for e in history[alert.id] if e.event in ("RESOLVED", "AUTO_RESOLVED", "IGNORED", "EXPIRED", "CLOSED")]
            at, how = (ends[0].at, ends[0].event) if ends else (alert.resolved_at or alert.triggered_at, alert.status)
            end = at
            if how in ("RESOLVED", "AUTO_RESOLVED") and within(at):
                count["resolved_alerts"] += 1
                hours.append(Decimal((at - alert.triggered_at).total_seconds()) / 3600)
        if end is None or end >= until:
            count["pending_alerts"] += 1
            later = [e for e in history[alert.id] if e.event in ("UPGRADED", "ESCALATED") and e.at >= until]
            level = later[0].from_level if later else alert.alert_level
            count[f"level{LEVELS.index(level) + 1}_count"] += 1
            required = shortages[alert.target_id].required_date
            count["overdue_alerts"] += required is not None and required < day
        handled = [alert.acknowledged_at, alert.handle_start_at, alert.resolved_at if alert.resolved_by else None]
        first = min((one for one in handled if one), default=None)
        if new and first and first < until:
            minutes.append(Decimal((first - alert.triggered_at).total_seconds()) / 60)
    for reported in rows(db, "erp.shortage_reports"):
        count["new_reports"] += within(reported.report_time)
        count["resolved_reports"] += within(reported.resolved_at)
    checks: dict[int, Row] = {}
    for check in sorted(rows(db, "belfry.kit_checks"), key=lambda check: (check.check_time, check.id)):
        if check.check_date == day:
            checks[check.work_order_id] = check
    rates = [check.kit_rate for check in checks.values() if check.kit_rate is not None]
    expected, arrived, late = _arrivals(db, day)
    shops = {shop.id: shop for shop in rows(db, "erp.workshops")}
    orders = {order.id: order for order in rows(db, "erp.work_orders")}
    stops = [s for s in shortages.values() if s.impact_type == "STOP" and within(s.created_at)]
    lost = Decimal(0)
    for stop in stops:
        shop = orders[stop.work_order_id].workshop_id if stop.work_order_id else None
        lost += (stop.est_delay_days or 0) * (shops[shop].daily_hours if shop else default_hours)
    names = (
        "new_alerts resolved_alerts pending_alerts overdue_alerts level1_count level2_count level3_count level4_count new_reports "
        "resolved_reports"
    )  # fmt: skip
    return {name: count[name] for name in names.split()} | {
        "total_work_orders": len(checks) if checks else None,
        "kit_complete_count": sum(check.kit_status == "COMPLETE" for check in checks.values()) if checks else None,
        "kit_rate": rounded(sum(rates) / Decimal(len(rates)), "0.01") if rates else None,
        "expected_arrivals": expected, "actual_arrivals": arrived, "delayed_arrivals": late,
        "on_time_rate": rounded(Decimal(arrived - late) * 100 / arrived, "0.01") if arrived else None,
        "avg_response_minutes": int(rounded(sum(minutes) / Decimal(len(minutes)), "1")) if minutes else None,
        "avg_resolve_hours": rounded(sum(hours) / Decimal(len(hours)), "0.01") if hours else None,
        "stoppage_count": len(stops), "stoppage_hours": rounded(lost, "0.01"),
    }  # fmt: skip


def _arrivals(db: Connection, day: date) -> tuple[int, int, int]:
    orders = {order.id: order for order in rows(db, "erp.purchase_orders")}
    lines = {line.id: line for line in rows(db, "erp.purchase_order_items")}
    receipts = {receipt.id: receipt for receipt in rows(db, "erp.goods_receipts") if receipt.status != "CANCELLED"}
    since: dict[int, Decimal] = defaultdict(Decimal)
    arrived = late = expected = 0

    def due(line: Row) -> date | None:
        order = orders[line.order_id]
        found: date | None = line.promised_date or line.required_date or order.promised_date or order.required_date
        return found

    for item in rows(db, "erp.goods_receipt_items"):
        receipt = receipts.get(item.receipt_id)
        if receipt is None or item.received_qty <= 0:
            continue
        if receipt.receipt_date >= day:
            since[item.order_item_id] += item.received_qty
        if receipt.receipt_date == day:
            arrived += 1
            wanted = item.expected_date or due(lines[item.order_item_id])
            late += wanted is not None and day > wanted
    for line in lines.values():
        runs = orders[line.order_id].status in ("APPROVED", "ORDERED", "PARTIAL_RECEIVED", "RECEIVED", "COMPLETED")
        expected += runs and due(line) == day and line.quantity > line.received_qty - since[line.id]
    return expected, arrived, late


# ---------------------------------------------------------------- job 3
TEXTS = ("HG20 精密级 行程 100mm", "HG20 普通级 行程 100mm", "HG20 精密级 行程 104mm", "HG25 精密级", "完全不同的另一种东西", "hg20精密级行程100MM")
BRANDS, MODELS = (None, "THK", "thk", "HIWIN"), (None, "HSR20", "ＨＳＲ２０", "HSR25")


def make_specifications(erp: Erp, rng: random.Random, day: date) -> None:
    factory = Factory(erp.conn, day)
    people, projects = people_and_projects(erp)
    silent = erp.project()
    materials = [
        erp.material(material_code=f"M-{n}", material_name=rng.choice(("直线导轨", "直线导轨副", "滚珠丝杠")), brand=rng.choice(BRANDS),
                     model=rng.choice(MODELS), is_key_material=rng.random() < 0.2, buyer_id=rng.choice(people))
        for n in range(12)
    ]  # fmt: skip
    requirements = []
    for number in range(1, 61):
        requirements.append((
            number, rng.choice([p for p in projects if p]), rng.choice([None, *(f"M-{n}" for n in range(10))]),
            rng.choice(("直线导轨", "滚珠丝杠", "减速机")), rng.choice(TEXTS), rng.choice(BRANDS), rng.choice(MODELS),
            rng.choice(({}, {}, {"行程": "100mm"}, {"行程": 100, "预压": 3})), rng.choice(("REQUIRED", "REQUIRED", "OPTIONAL", "STRICT")), factory.instant(-9),
        ))  # fmt: skip
    factory.insert(
        "erp.spec_requirements",
        "id project_id material_code material_name specification brand model key_parameters requirement_level updated_at", requirements,
    )
    statuses = ("DRAFT", "APPROVED", "ORDERED", "ORDERED", "PARTIAL_RECEIVED", "RECEIVED", "CANCELLED")
    factory.insert(
        "erp.purchase_orders", "id order_no project_id buyer_id status",
        [(n, f"PO-{n}", rng.choice([*projects, silent]), rng.choice(people), rng.choice(statuses)) for n in range(1, 61)],
    )
    factory.insert(
        "erp.bom_headers", "id bom_no project_id is_latest status",
        [(n, f"BOM-{n}", rng.choice([*projects, silent]), rng.random() < 0.8, rng.choice(("DRAFT", "APPROVED", "RELEASED", "OBSOLETE"))) for n in range(1, 41)],
    )
    said = [
        (n, rng.choice([*materials, None]), rng.choice([*TEXTS, *TEXTS, None, " "]), rng.choice(BRANDS), rng.choice(MODELS))
        for n in range(1, 501)
    ]
    factory.insert(
        "erp.purchase_order_items", "id material_id specification brand model order_id quantity received_qty updated_at",
        [(*one, rng.randint(1, 60), 5, 0, factory.instant(-3)) for one in said[:300]],
    )
    factory.insert(
        "erp.bom_items", "id material_id specification brand model bom_id quantity is_key_item received_qty updated_at",
        [(n - 300, *one, rng.randint(1, 40), 5, rng.random() < 0.1, 0, factory.instant(-3)) for n, *one in said[300:]],
    )


def _plain(words: str | None) -> str:
    return "".join(unicodedata.normalize("NFKC", words or "").lower().split())


def _match(asked: Row, line: Row, material: Row) -> tuple[Decimal | None, str]:
    """Score and status of rulebook 6.3, in floats and by the library's own ratio."""
    spoken, wanted = _plain(line.specification), _plain(asked.specification)
    parts, differences, compared = [], 0, 0
    if spoken and wanted:
        alike = SequenceMatcher(None, wanted, spoken, autojunk=False).ratio()
        parts.append((0.5, alike))
        differences += alike < 0.8
        compared += 1
    for required, actual in ((asked.brand, line.brand or material.brand), (asked.model, line.model or material.model)):
        if required:
            equal = _plain(required) == _plain(actual)
            parts.append((0.2, float(equal)))
            differences += not equal
            compared += bool(actual)
    stroke = re.search(r"行程(\d+)mm", spoken)
    if "行程" in asked.key_parameters and stroke:
        near = abs(int(stroke[1]) - 100) <= 5
        parts.append((0.1, float(near)))
        differences += not near
        compared += 1
    if not parts:
        return None, "UNKNOWN"
    score = sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts) * 100
    shown = rounded(Decimal(str(round(score, 6))), "0.01")
    if not spoken:
        return shown, "UNKNOWN"
    if score < 50 - 1e-9:
        return shown, "MISMATCHED" if wanted and compared >= 2 else "UNKNOWN"
    if score < 80 - 1e-9 or (differences and asked.requirement_level == "STRICT"):
        return shown, "MISMATCHED"
    return shown, "MATCHED"


def specifications(db: Connection) -> tuple[dict[tuple[str, int], tuple[int, str, Decimal | None]], dict[tuple[str, int], tuple[str, set[str]]]]:
    """By kind and line: the requirement, status and score that are kept, and level and recipients of its alert."""
    projects, materials = alive(db), {m.id: m for m in rows(db, "erp.materials")}
    asked = defaultdict(list)
    for requirement in rows(db, "erp.spec_requirements"):
        asked[requirement.project_id].append(requirement)
    orders = {o.id: o for o in rows(db, "erp.purchase_orders") if o.status in ("APPROVED", "ORDERED", "PARTIAL_RECEIVED")}
    bills = {b.id: b for b in rows(db, "erp.bom_headers") if b.is_latest and b.status in ("APPROVED", "RELEASED")}
    lines = [("PURCHASE_ORDER", line, orders.get(line.order_id)) for line in rows(db, "erp.purchase_order_items")]
    lines += [("BOM", line, bills.get(line.bom_id)) for line in rows(db, "erp.bom_items")]
    kept, told = {}, {}
    for kind, line, head in lines:
        if head is None or head.project_id is None or head.project_id not in projects or line.material_id is None:
            continue
        material = materials[line.material_id]
        own = [r for r in asked[head.project_id] if r.material_code == material.material_code]
        named = [
            r for r in asked[head.project_id]
            if not r.material_code and SequenceMatcher(None, r.material_name, material.material_name, autojunk=False).ratio() >= 0.6
        ]
        scored = [(*_match(r, line, material), r) for r in own or named]
        if not scored:
            continue
        score, status, requirement = min(scored, key=lambda one: (-(one[0] if one[0] is not None else -1), one[2].id))
        kept[kind, line.id] = (requirement.id, status, score)
        if status == "MISMATCHED":
            key = material.is_key_material or (kind == "BOM" and line.is_key_item)
            person = (head.buyer_id or material.buyer_id) if kind == "PURCHASE_ORDER" else projects[head.project_id].pm_id
            level = "CRITICAL" if key or requirement.requirement_level == "STRICT" else "WARNING"
            told[kind, line.id] = (level, {f"USER:{person}"} if person else set())
    return kept, told


# ---------------------------------------------------------------- job M1
def make_stock(erp: Erp, rng: random.Random, day: date) -> None:
    factory = Factory(erp.conn, day)
    people, _ = people_and_projects(erp)
    houses = [erp.warehouse(keeper_id=person) for person in (people[0], people[1], None)] + [erp.warehouse(is_active=False), erp.warehouse()]
    materials = [
        erp.material(abc_class=rng.choice(("A", "B", "C", None)), is_key_material=rng.random() < 0.3, safety_stock=rng.choice((0, 10, 25)),
                     standard_price=rng.choice((None, 1, Decimal("99.9"))), buyer_id=rng.choice(people))
        for _ in range(60)
    ]  # fmt: skip
    counts = [None, *(midnight(day - timedelta(days=n)) for n in (1, 27, 28, 29, 31, 89, 90, 91, 180, 181, 182))]
    factory.insert(
        "erp.inventories", "id material_id warehouse_id batch_no quantity reserved_qty frozen_qty last_counted_at updated_at",
        [(n, rng.choice(materials), rng.choice(houses[:4]), f"B{n}", rng.choice((-3, 0, 0, 4, 10, "12.5")), rng.choice((0, 0, 0, 2, 20, -1 if n % 50 == 0 else 0)),
          rng.choice((0, 0, 0, 3)), rng.choice(counts), midnight(day - timedelta(days=rng.choice((1, 179, 180, 181, 400)))))
         for n in range(1, 301)],
    )  # fmt: skip
    factory.insert(
        "erp.inventory_transactions", "inventory_id type quantity occurred_at",
        [(rng.randint(1, 300), rng.choice(("IN", "IN", "OUT", "TRANSFER", "ADJUST")), rng.choice((-3, 2, 4, 10, "12.5")),
          midnight(day - timedelta(days=rng.choice((1, 30, 179, 180, 181, 500))))) for _ in range(500)],
    )  # fmt: skip


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + year, month + 1
    return date(year, month, min(day.day, _days_of(year, month)))


def _days_of(year: int, month: int) -> int:
    return (date(year + month // 12, month % 12 + 1, 1) - date(year, month, 1)).days


def stock_take(db: Connection, at: datetime, scope: str = "all") -> tuple[dict[int, tuple[Decimal, Decimal, list[str]]], dict[str, Alerts]]:
    """The lines that a run freezes (book, ledger, flags), and its alerts by rule."""
    materials = {m.id: m for m in rows(db, "erp.materials")}
    houses = {h.id: h for h in rows(db, "erp.warehouses") if h.is_active}
    stock = rows(db, "erp.inventories")
    ledger: dict[int, Decimal] = defaultdict(Decimal)
    moved: dict[int, datetime] = {}
    for move in rows(db, "erp.inventory_transactions"):
        ledger[move.inventory_id] += -abs(move.quantity) if move.type == "OUT" else move.quantity
        if move.type != "ADJUST":
            moved[move.inventory_id] = max(move.occurred_at, moved.get(move.inventory_id, move.occurred_at))
    free: dict[int, Decimal] = defaultdict(Decimal)
    oldest: dict[int, int] = {}
    broken = set()
    for row in stock:
        free[row.material_id] += row.quantity - row.reserved_qty - row.frozen_qty
        if row.warehouse_id in houses:
            oldest[row.material_id] = min(row.id, oldest.get(row.material_id, row.id))
        if row.reserved_qty < 0 or row.frozen_qty < 0:
            broken.add(row.material_id)
    lines: dict[int, tuple[Decimal, Decimal, list[str]]] = {}
    alerts: dict[str, Alerts] = {"STOCK_NEGATIVE": {}, "STOCK_LEDGER_DIFF": {}, "STOCK_BELOW_SAFETY": {}}
    day = at.astimezone(SHANGHAI).date()
    for row in stock:
        material = materials[row.material_id]
        wanted = {"all": True, "zero": row.quantity == 0, "negative": row.quantity < 0}.get(scope, material.abc_class == scope)
        if row.warehouse_id not in houses or not wanted:
            continue
        below = material.safety_stock > 0 and max(Decimal(0), free[material.id]) < material.safety_stock
        found = {
            "NEGATIVE": row.quantity < 0, "LEDGER_DIFF": row.quantity != ledger[row.id], "BELOW_SAFETY": below,
            "NO_MOVE": row.quantity != 0 and (at - moved.get(row.id, row.updated_at)) // timedelta(days=1) > 180, "FROZEN": row.frozen_qty > 0,
        }  # fmt: skip
        last, months = row.last_counted_at, {"A": 1, "B": 3, "C": 6}.get(scope)
        if months is None or last is None or _months_later(last.astimezone(SHANGHAI).date(), months) <= day:
            lines[row.id] = (row.quantity, ledger[row.id], [flag for flag, true in found.items() if true])
        keeper = houses[row.warehouse_id].keeper_id
        told = {f"USER:{keeper}"} if keeper else set()
        if row.reserved_qty >= 0 and found["NEGATIVE"]:
            alerts["STOCK_NEGATIVE"][row.id] = ("CRITICAL", told)
        if row.reserved_qty >= 0 and found["LEDGER_DIFF"]:
            alerts["STOCK_LEDGER_DIFF"][row.id] = ("WARNING", told)
        if below and oldest[material.id] == row.id and material.id not in broken:
            buyer = {f"USER:{material.buyer_id}"} if material.buyer_id else set()
            alerts["STOCK_BELOW_SAFETY"][row.id] = ("WARNING" if material.is_key_material else "INFO", told | buyer)
    return lines, alerts
