"""What happens on the shop floor? Plans, silent work orders, maintenance, a week of reports, and what sales wants made."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from datetime import date, datetime, timedelta

from sqlalchemy import text

from infra.local.demo.people import USER
from infra.local.demo.production import WORKERS, WORKSHOP
from infra.local.demo.projects import MACHINE, PROJECT
from infra.local.demo.rows import SHANGHAI, Factory

# title (its case and the level it should get), project, status, progress, start, end
PLANS = (
    ("上料段排产（剩 7 天，进度 79%：WARNING）", "PJ06", "EXECUTING", 79, -30, 7), ("下料段排产（剩 7 天，进度 80%：不预警）", "PJ06", "EXECUTING", 80, -30, 7),
    ("检测段排产（剩 8 天，进度 70%：不预警）", "PJ06", "EXECUTING", 70, -30, 8), ("焊接段排产（今天完工，进度 79%：WARNING）", "PJ05", "EXECUTING", 79, -30, 0),
    ("涂胶段排产（昨天应完工，进度 79%：CRITICAL）", "PJ05", "EXECUTING", 79, -30, -1), ("压装段排产（逾期 7 天，进度 79%：CRITICAL）", "PJ05", "EXECUTING", 79, -40, -7),
    ("打包段排产（逾期 8 天，进度 95%：URGENT）", "PJ04", "EXECUTING", 95, -40, -8), ("贴标段排产（逾期 8 天，进度 100%：不预警）", "PJ04", "EXECUTING", 100, -40, -8),
    ("机架排产（落后 14 点：不预警）", "PJ04", "EXECUTING", 36, -50, 50), ("护罩排产（落后 15 点：WARNING）", "PJ04", "EXECUTING", 35, -50, 50),
    ("电柜排产（落后 30 点：CRITICAL）", "PJ03", "EXECUTING", 20, -50, 50), ("线槽排产（时间才过 19%：不预警）", "PJ03", "EXECUTING", 0, -19, 81),
    ("模组排产（没有进度，时间过 20%：WARNING）", "PJ03", "EXECUTING", None, -20, 80), ("托盘排产（昨天应开工，已发布：不预警）", "PJ02", "PUBLISHED", 0, -1, 40),
    ("夹具排产（前天应开工，已发布：WARNING）", "PJ02", "PUBLISHED", 0, -2, 40), ("导轨排产（已批准未发布：不预警）", "PJ02", "APPROVED", 0, -9, 40),
    ("旧线排产（项目已结案，逾期 30 天：不预警）", "PJ19", "EXECUTING", 50, -90, -30), ("试制排产（已取消：不预警）", "PJ02", "CANCELLED", 10, -90, -30),
)
# task (its case), status, hours of workdays since the last report or, for assigned ones, workdays since the planned start
SILENT = (
    ("主机座加工【报工 23 小时前：不预警】", "STARTED", 23), ("侧板加工【报工 25 小时前：WARNING】", "STARTED", 25), ("横梁加工【报工 71 小时前：WARNING】", "STARTED", 71),
    ("立柱加工【报工 73 小时前：CRITICAL】", "STARTED", 73), ("滑台加工【已暂停：不预警】", "PAUSED", 90), ("端板加工【过计划开工 1 个工作日：不预警】", "ASSIGNED", 1),
    ("丝杠座加工【过计划开工 2 个工作日：INFO】", "ASSIGNED", 2),
)
FIRST_ORDER = 900
# name (its case), code, workshop, key machine, days to the next maintenance (None: by the cycle), last, cycle, status
MACHINES = (
    ("立式加工中心（8 天后保养：不预警）", "EQ-01", "JJ", True, 8, -82, 90, "RUNNING"), ("卧式加工中心（逾期 1 天：WARNING）", "EQ-02", "JJ", False, -1, -91, 90, "RUNNING"),
    ("龙门铣（关键设备，逾期 1 天：CRITICAL）", "EQ-03", "JJ", True, -1, -181, 180, "RUNNING"), ("数控车床（逾期 6 天：WARNING）", "EQ-04", "JJ", False, -6, -96, 90, "IDLE"),
    ("平面磨床（逾期 7 天：CRITICAL）", "EQ-05", "JJ", False, -7, -97, 90, "IDLE"), ("行车（关键设备，逾期 30 天：URGENT）", "EQ-06", "ZZ", True, -30, -395, 365, "IDLE"),
    ("压装机（7 天后保养）【提醒 INFO】", "EQ-07", "ZZ", False, 7, -83, 90, "RUNNING"), ("拧紧机（3 天后保养）【提醒 WARNING】", "EQ-08", "ZZ", False, 3, -87, 90, "RUNNING"),
    ("涂胶机（明天保养）【提醒 WARNING】", "EQ-09", "ZZ", False, 1, -89, 90, "RUNNING"), ("端子机（今天保养）【提醒 WARNING】", "EQ-10", "DZ", False, 0, -90, 90, "RUNNING"),
    ("波峰焊（按周期 3 天后保养）【提醒 WARNING】", "EQ-11", "DZ", False, None, -87, 90, "RUNNING"), ("激光打标机（5 天后保养）", "EQ-12", "TS", False, 5, -85, 90, "RUNNING"),
    ("旧冲床（已报废，逾期 60 天：不预警）", "EQ-13", "JJ", False, -60, -150, 90, "SCRAPPED"), ("试验台（没有保养计划：不预警）", "EQ-14", "TS", False, None, None, None, "IDLE"),
)
# code, name (its case and what the plan should say of it), type, key, lead time, lot, in stock, sold as (quantity, in days), made of
PRODUCTS: tuple[tuple[str, str, str, bool, int, int, int, tuple[tuple[int, int], ...], dict[str, int]], ...] = (
    ("CP-01", "上料模组（库存够：不建议）", "MAKE", False, 3, 1, 20, ((8, 20),), {"BJ-01": 1}),
    ("CP-02", "检测模组（两级展开：建议）", "MAKE", True, 5, 1, 2, ((6, 40), (4, 60)), {"BJ-01": 2, "BJ-02": 1}),
    ("CP-03", "焊接模组（提前期不够，关键物料：RELEASE_LATE）", "MAKE", True, 15, 1, 0, ((3, 9),), {"BJ-02": 1}),
    ("CP-04", "打标模组（没有物料清单：NO_BOM）", "MAKE", False, 4, 1, 0, ((2, 45),), {}),
    ("CP-05", "扫码模组（没有提前期：NO_LEAD_TIME）", "PURCHASE", False, 0, 1, 0, ((5, 45),), {}),
    ("CP-06", "远期模组（需求在 90 天以外：不建议）", "MAKE", False, 5, 1, 0, ((9, 95),), {"BJ-01": 1}),
    ("BJ-01", "驱动单元（整批 10：建议）", "MAKE", False, 4, 10, 0, (), {"LJ-01": 2, "LJ-02": 4}),
    ("BJ-02", "视觉单元（外协，为焊接模组的一单已晚：RELEASE_LATE）", "OUTSOURCE", False, 6, 1, 0, (), {"LJ-03": 1}),
    ("LJ-01", "直线电机（采购，关键物料：建议）", "PURCHASE", True, 12, 1, 4, (), {}), ("LJ-02", "编码器（采购，整批 50：建议）", "PURCHASE", False, 8, 50, 10, (), {}),
    ("LJ-03", "镜头座（采购，为焊接模组的一单已晚：RELEASE_LATE）", "PURCHASE", False, 5, 1, 0, (), {}), ("LJ-04", "在途件（到货晚于需求，可提前：不建议）", "PURCHASE", False, 5, 1, 0, ((10, 20),), {}),
    ("LJ-05", "早到件（到货比需求早 40 天，可推迟：不建议）", "PURCHASE", False, 5, 1, 0, ((10, 50),), {}), ("LJ-06", "多余件（无人需要，可取消：不建议）", "PURCHASE", False, 5, 1, 0, (), {}),
)
FIRST_MATERIAL, FIRST_BILL = 1001, 901
ON_ORDER = (("LJ-04", "在途件采购", 30), ("LJ-05", "早到件采购", 10), ("LJ-06", "多余件采购", 12))
FIRST_PURCHASE = 901


def populate(factory: Factory) -> None:
    """Plans, equipment, orders nobody reports on, ten days of reports for the others, exceptions, and what sales wants."""
    owners = ("fengyong", "wugang", "dongjie")
    factory.insert(
        "erp.production_plans", "id plan_no plan_name project_id workshop_id plan_start_date plan_end_date status progress owner_id",
        [(100 + number, f"PP-{100 + number}", name, PROJECT[project], number % 4 + 1, factory.date(start), factory.date(end), status,
          progress, USER[owners[number % 3]]) for number, (name, project, status, progress, start, end) in enumerate(PLANS)],
    )
    factory.insert(
        "erp.equipment", "id equipment_code equipment_name workshop_id keeper_id maintenance_cycle_days last_maintenance_date "
        "next_maintenance_date status is_key",
        [(number, code, name, WORKSHOP[shop], USER["caoyang"], cycle, factory.date(last), factory.date(due), status, key)
         for number, (name, code, shop, key, due, last, cycle, status) in enumerate(MACHINES, 1)],
    )
    _silent_orders(factory)
    _reports(factory)
    _wanted(factory)


def _silent_orders(factory: Factory) -> None:
    """Their material lies ready and their end is far, so that nothing but the missing report is wrong with them."""
    orders, reports = [], []
    for number, (task, status, age) in enumerate(SILENT, FIRST_ORDER):
        start = factory.day - timedelta(30) if status != "ASSIGNED" else _workdays_ago(factory, age)
        begun = datetime.combine(start, datetime.min.time(), SHANGHAI) + timedelta(hours=8)
        orders.append((number, f"WO-{number:04}", task, PROJECT["PJ06"], MACHINE["PJ06-M2"], WORKSHOP["JJ"], 1, start, factory.date(20),
                       begun if status != "ASSIGNED" else None, 4, status, "NORMAL", 24, 0, 1))
        if status != "ASSIGNED":
            reports.append((number, 4, "PROGRESS", _hours_ago(factory, age), 0, 0, 0, 0, "APPROVED"))
    factory.insert(
        "erp.work_orders", "id work_order_no task_name project_id machine_id workshop_id plan_qty plan_start_date plan_end_date "
        "actual_start_time assigned_worker_id status priority standard_hours completed_qty equipment_id", orders,
    )
    factory.insert("erp.work_reports", "work_order_id worker_id report_type report_time work_hours completed_qty qualified_qty defect_qty status", reports)


def _reports(factory: Factory) -> None:
    """Everybody reports at half past five of a workday; yesterday, whatever day it was, one helped and one was refused."""
    begun = factory.connection.execute(
        text("select id, workshop_id from erp.work_orders where status = 'STARTED' and id < :first order by id"), {"first": FIRST_ORDER}
    ).all()
    rows: list[tuple[object, ...]] = []
    days = [back for back in range(1, 30) if _works(factory, factory.day - timedelta(back))][:8]
    for back in days:
        for number, order in enumerate(begun):
            worker = next(n for n in range(1, len(WORKERS) + 1) if WORKSHOP[WORKERS[n - 1][2]] == order.workshop_id)
            made = (10 + (number * 7 + back * 3) % 9) / 100
            bad = 0.01 if (number + back) % 4 == 0 else 0
            rows.append((order.id, worker, "PROGRESS", factory.instant(-back, "17:30"), 8 + (number + back) % 3, made, made - bad, bad,
                         "APPROVED" if back > 1 else "PENDING"))
    rows.append((begun[0].id, 6, "PROGRESS", factory.instant(-1, "16:00"), 4, 0.05, 0.05, 0, "PENDING"))
    rows.append((begun[0].id, 1, "PROGRESS", factory.instant(-1, "18:00"), 9, 5, 5, 0, "REJECTED"))
    factory.insert("erp.work_reports", "work_order_id worker_id report_type report_time work_hours completed_qty qualified_qty defect_qty status", rows)
    factory.insert(
        "erp.production_exceptions", "exception_no exception_type workshop_id report_time resolved_at status",
        [("EX-001", "设备故障", WORKSHOP["JJ"], factory.instant(-1, "10:20"), None, "OPEN"),
         ("EX-002", "来料不良", WORKSHOP["ZZ"], factory.instant(-3, "14:00"), factory.instant(-1, "09:10"), "RESOLVED"),
         ("EX-003", "图纸错误", WORKSHOP["DZ"], factory.instant(-6, "11:00"), factory.instant(-5, "16:00"), "RESOLVED")],
    )


def _wanted(factory: Factory) -> None:
    """Products of several levels, their stock and bills, what is sold of them and what is on order."""
    ids = {code: number for number, (code, *_) in enumerate(PRODUCTS, FIRST_MATERIAL)}
    factory.insert(
        "erp.materials", "id material_code material_name specification unit material_type abc_class is_key_material safety_stock "
        "lead_time_days min_order_qty standard_price default_supplier_id buyer_id is_active",
        [(ids[code], code, name, None, "件", kind, "B", key, 0, lead, lot, 500, 1, USER["sunlei"], True)
         for code, name, kind, key, lead, lot, *_ in PRODUCTS],
    )
    counted = factory.instant(-20, "17:00")
    factory.insert(
        "erp.inventories", "material_id warehouse_id batch_no quantity reserved_qty frozen_qty last_counted_at updated_at",
        [(ids[code], 1, "", stock, 0, 0, counted, counted) for code, _, _, _, _, _, stock, *_ in PRODUCTS if stock],
    )
    billed = [(code, parts) for code, *_, parts in PRODUCTS if parts]
    factory.insert(
        "erp.bom_headers", "id bom_no material_id is_latest status",
        [(number, f"BOM-{code}", ids[code], True, "RELEASED") for number, (code, _) in enumerate(billed, FIRST_BILL)],
    )
    factory.insert(
        "erp.bom_items", "bom_id material_id quantity received_qty is_key_item updated_at",
        [(number, ids[part], quantity, 0, False, counted) for number, (_, parts) in enumerate(billed, FIRST_BILL)
         for part, quantity in parts.items()],
    )
    factory.insert(
        "erp.sales_order_lines", "order_no line_no material_id open_qty due_date priority",
        [(f"SO-{ids[code]}", line, ids[code], quantity, factory.date(due), 3)
         for code, *_, sold, _ in PRODUCTS for line, (quantity, due) in enumerate(sold, 1)],
    )
    factory.insert(
        "erp.purchase_orders", "id order_no order_title supplier_id project_id buyer_id status required_date promised_date",
        [(number, f"PO-{number:04}", title, 1, PROJECT["PJ06"], USER["sunlei"], "ORDERED", factory.date(due), factory.date(due))
         for number, (_, title, due) in enumerate(ON_ORDER, FIRST_PURCHASE)],
    )
    factory.insert(
        "erp.purchase_order_items", "order_id material_id quantity received_qty unit_price updated_at",
        [(number, ids[code], 10, 0, 100, counted) for number, (code, _, _) in enumerate(ON_ORDER, FIRST_PURCHASE)],
    )


def _works(factory: Factory, day: date) -> bool:
    answer: bool = factory.connection.execute(text("select belfry.is_workday(:day)"), {"day": day}).scalar_one()
    return answer


def _hours_ago(factory: Factory, hours: int) -> datetime:
    """So many hours of workdays before nine o'clock of the day."""
    at = factory.instant(0)
    while hours:
        at -= timedelta(hours=1)
        hours -= _works(factory, at.date())
    return at


def _workdays_ago(factory: Factory, number: int) -> date:
    """The day since which so many workdays have begun, the factory's own among them."""
    day = factory.day
    while number:
        number -= _works(factory, day)
        day -= timedelta(1)
    return day
