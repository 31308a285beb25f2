"""What should be built when? Workshops, workers, plans, and work orders on both sides of every threshold of kit and shortage."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from infra.local.demo.materials import MATERIAL, PLENTY
from infra.local.demo.people import USER
from infra.local.demo.projects import MACHINE, PROJECT
from infra.local.demo.rows import Factory, numbered

WORKSHOPS = (("JJ", "机加车间", "wugang"), ("ZZ", "总装车间", "fengyong"), ("DZ", "电装车间", "dongjie"), ("TS", "调试车间", "panhao"))
WORKSHOP = numbered(code for code, _, _ in WORKSHOPS)
WORKERS = (
    ("zhenghao", "郑浩", "ZZ"), ("yuanbin", "袁斌", "ZZ"), ("dengchao", "邓超", "DZ"), ("xuqiang", "许强", "JJ"), (None, "钱进", "JJ"),
    (None, "唐军", "ZZ"), (None, "韩梅", "DZ"), (None, "方勇", "TS"),
)
# Work orders with a bill of their own. Task (its case; what the kit and the shortage alert should say), project, start, status,
# quantity, how many items in plenty, the scarce ones with their quantity.
KITS = (
    ("顶升机构装配（共用 10 件，先开工得 8 件：齐套 不预警，缺料 无）", "PJ04", 2, "PENDING", 1, 3, ("ZJ-01:8",)),
    ("顶升机构装配（共用 10 件，后开工只剩 2 件：齐套 WARNING，缺料 CRITICAL）", "PJ04", 3, "PENDING", 1, 3, ("ZJ-01:8",)),
    ("压装工位装配（采购晚到一天，在途：齐套 WARNING，缺料 WARNING）", "PJ05", 5, "PENDING", 1, 3, ("ZJ-02:4",)),
    ("托盘线装配（采购在开工当日到：齐套 不预警，缺料 无）", "PJ05", 5, "ASSIGNED", 1, 3, ("ZJ-03:4",)),
    ("吸盘组装配（行无承诺日，需求日在开工前：齐套 不预警，缺料 无）", "PJ05", 4, "PENDING", 1, 3, ("ZJ-04:4",)),
    ("滚筒段装配（采购单已取消：齐套 WARNING，缺料 WARNING）", "PJ05", 6, "PENDING", 1, 3, ("ZJ-05:4",)),
    ("拨料机构装配（3 天前已开工仍缺料：齐套 CRITICAL，缺料 URGENT）", "PJ04", -3, "STARTED", 1, 3, ("ZJ-07:4",)),
    ("凸轮箱装配（今天开工：齐套 URGENT，缺料 URGENT）", "PJ04", 0, "PENDING", 1, 3, ("ZJ-08:4",)),
    ("导向组装配（明天开工：齐套 CRITICAL，缺料 CRITICAL）", "PJ04", 1, "PENDING", 1, 3, ("ZJ-09:4",)),
    ("限位组装配（2 天后开工：齐套 CRITICAL，缺料 CRITICAL）", "PJ04", 2, "PENDING", 1, 3, ("ZJ-10:10",)),
    ("夹爪组装配（3 天后开工：齐套 WARNING，缺料 CRITICAL）", "PJ04", 3, "PENDING", 1, 3, ("ZJ-11:4",)),
    ("同步带组装配（4 天后开工：齐套 WARNING，缺料 WARNING）", "PJ05", 4, "PENDING", 1, 3, ("ZJ-12:4",)),
    ("齿条组装配（7 天后开工：齐套 WARNING，缺料 WARNING）", "PJ05", 7, "PENDING", 1, 3, ("ZJ-13:4",)),
    ("挡料组装配（8 天后开工：齐套 不预警，缺料 INFO）", "PJ06", 8, "PENDING", 1, 3, ("ZJ-14:4",)),
    ("缓冲组装配（14 天后开工：齐套 不预警，缺料 INFO）", "PJ06", 14, "PENDING", 1, 3, ("ZJ-15:4",)),
    ("联轴组装配（15 天后开工：齐套 不预警，缺料 无）", "PJ06", 15, "PENDING", 1, 3, ("ZJ-16:4",)),
    ("调平组装配（五项缺一，正好 80%：齐套 不预警，缺料 WARNING）", "PJ05", 5, "PENDING", 1, 4, ("ZJ-17:4",)),
    ("主轴箱装配（五项缺一但缺关键件：齐套 不预警，缺料 CRITICAL）", "PJ04", 5, "PENDING", 1, 4, ("ZJ-18:4",)),
    ("铆接板装配（缺 4%，降一级：齐套 WARNING，缺料 INFO）", "PJ05", 6, "PENDING", 100, 3, ("ZJ-19:1",)),
    ("衬套板装配（正好缺 5%：齐套 WARNING，缺料 WARNING）", "PJ05", 6, "PENDING", 100, 3, ("ZJ-20:1",)),
    ("弯管组装配（库存多被预留和冻结：齐套 WARNING，缺料 WARNING）", "PJ05", 6, "PENDING", 1, 3, ("ZJ-21:8",)),
    ("端盖组装配（账面为负按 0 计：齐套 WARNING，缺料 WARNING）", "PJ05", 6, "PENDING", 1, 3, ("ZJ-22:2",)),
    ("卡箍组装配（同一物料两行合计 6 件：齐套 WARNING，缺料 WARNING）", "PJ05", 7, "PENDING", 1, 3, ("ZJ-23:3", "ZJ-23:3")),
    ("刻度尺装配（计划数量为空按 1 计：齐套 不预警，缺料 无）", "PJ05", 4, "PENDING", None, 3, ("ZJ-24:5",)),
    ("阀座组装配（5 天后开工：齐套 WARNING，缺料 WARNING）", "PJ17", 5, "PENDING", 1, 3, ("ZJ-25:4",)),
    ("夹具组装配（明天开工：齐套 CRITICAL，缺料 CRITICAL）", "PJ18", 1, "PENDING", 1, 3, ("ZJ-26:4",)),
    ("弹簧座返工（已暂停：齐套 不预警，缺料 无）", "PJ06", 2, "PAUSED", 1, 3, ("ZJ-15:40",)),
    ("弹簧座加装（已取消：齐套 不预警，缺料 无）", "PJ06", 2, "CANCELLED", 1, 3, ("ZJ-15:40",)),
    ("弹簧座试装（已完成：齐套 不预警，缺料 无）", "PJ06", -2, "COMPLETED", 1, 3, ("ZJ-15:40",)),
)
# Without a bill of their own: task, project, machine, start, status. The machine's latest released bill counts.
OTHERS = (
    ("检测台布线（设备没有物料清单：无清单 WARNING）", "PJ05", "PJ05-M3", 3, "PENDING"),
    ("装配台布线（清单还是草稿：无清单 WARNING）", "PJ05", "PJ05-M2", 6, "PENDING"),
    ("上料台布线（用设备的最新清单：齐套 不预警，缺料 无）", "PJ06", "PJ06-M1", 0, "ASSIGNED"),
    ("打磨头装配（旧版清单已作废，用新版：齐套 不预警，缺料 无）", "PJ04", "PJ04-M3", 1, "PENDING"),
    ("模组上料总装", "PJ01", "PJ01-M1", -6, "STARTED"), ("模组检测总装", "PJ01", "PJ01-M3", 4, "PENDING"),
    ("座椅上料总装", "PJ02", "PJ02-M1", -4, "STARTED"), ("座椅检测总装", "PJ02", "PJ02-M3", 2, "ASSIGNED"),
    ("串焊机总装", "PJ03", "PJ03-M2", -15, "COMPLETED"), ("串焊机调试", "PJ03", "PJ03-M3", -2, "STARTED"),
    ("空压机线体总装", "PJ06", "PJ06-M2", 5, "PENDING"), ("空压机线电装", "PJ06", "PJ06-M3", 12, "PENDING"),
)
BILLS = [  # machine, status, latest; PJ05-M3 has none
    (machine, "DRAFT" if machine == "PJ05-M2" else "RELEASED", True)
    for machine in MACHINE if machine[:4] <= "PJ06" and machine != "PJ05-M3"
] + [("PJ04-M3", "OBSOLETE", False)]


def populate(factory: Factory) -> None:
    """Workshops, workers with two days of leave, one plan a busy project, bills of material, work orders."""
    factory.insert(
        "erp.workshops", "id workshop_code workshop_name manager_id daily_hours",
        [(WORKSHOP[code], code, name, USER[manager], 8) for code, name, manager in WORKSHOPS],
    )
    factory.insert(
        "erp.workers", "id worker_no worker_name user_id workshop_id status entry_date",
        [(number, f"W{number:03}", name, USER[user] if user else None, WORKSHOP[shop], "ACTIVE", factory.date(-700))
         for number, (user, name, shop) in enumerate(WORKERS, 1)],
    )
    factory.insert("erp.worker_leaves", "worker_id day hours", [(3, factory.date(1), 8), (4, factory.date(3), 4)])
    factory.insert(
        "erp.production_plans", "id plan_no plan_name plan_type project_id workshop_id plan_start_date plan_end_date status "
        "progress owner_id",
        [(number, f"PP-{number:03}", f"{key} 总装计划", "MASTER", PROJECT[key], WORKSHOP["ZZ"], factory.date(-20), factory.date(40),
          "EXECUTING", 35, USER["fengyong"]) for number, key in enumerate(list(PROJECT)[:6], 1)],
    )
    _bills(factory)
    _work_orders(factory)


def _bills(factory: Factory) -> None:
    headers: list[tuple[object, ...]] = [(number, f"BOM-{number:03}", PROJECT[task[1]], None, True, "RELEASED") for number, task in enumerate(KITS, 1)]
    headers += [
        (len(KITS) + number, f"BOM-{machine}-{'V1' if status == 'OBSOLETE' else 'V2'}", PROJECT[machine[:4]], MACHINE[machine],
         latest, status)
        for number, (machine, status, latest) in enumerate(BILLS, 1)
    ]
    factory.insert("erp.bom_headers", "id bom_no project_id machine_id is_latest status", headers)
    items: list[tuple[int, int, str | int, bool]] = []
    for bom, (task, *_, plenty, scarce) in enumerate(KITS, 1):
        items += [(bom, _in_plenty(bom, number), 2, False) for number in range(plenty)]
        items += [(bom, MATERIAL[code], quantity, "关键件" in task) for code, quantity in (item.split(":") for item in scarce)]
    for bom in range(len(KITS) + 1, len(headers) + 1):
        items += [(bom, _in_plenty(bom, number), number % 4 + 1, False) for number in range(12)]
    factory.insert(
        "erp.bom_items", "id bom_id material_id quantity is_key_item updated_at",
        [(number, *item, factory.instant(-30)) for number, item in enumerate(items, 1)],
    )


def _in_plenty(bom: int, number: int) -> int:
    return MATERIAL[PLENTY[(bom * 5 + number * 13) % len(PLENTY)][0]]


def _work_orders(factory: Factory) -> None:
    shops = list(WORKSHOP.values())
    rows: list[tuple[str, int, int | None, int | None, int, int | None, int, str]] = [
        (task, PROJECT[key], None, bom, shops[bom % 4], quantity, start, status)
        for bom, (task, key, start, status, quantity, _, _) in enumerate(KITS, 1)
    ]
    rows += [
        (task, PROJECT[key], MACHINE[machine], None, shops[number % 4], 1, start, status)
        for number, (task, key, machine, start, status) in enumerate(OTHERS)
    ]
    begun = ("STARTED", "PAUSED", "COMPLETED")
    factory.insert(
        "erp.work_orders", "id work_order_no task_name project_id machine_id bom_id workshop_id plan_qty plan_start_date "
        "plan_end_date actual_start_time assigned_worker_id status priority standard_hours completed_qty",
        [(number, f"WO-{number:04}", task, project, machine, bom, shop, quantity, factory.date(start), factory.date(start + 6),
          factory.instant(min(start, -1), "08:10") if status in begun else None,
          number % 8 + 1 if status != "PENDING" else None, status, "NORMAL", 24, quantity if status == "COMPLETED" else 0)
         for number, (task, project, machine, bom, shop, quantity, start, status) in enumerate(rows, 1)],
    )
