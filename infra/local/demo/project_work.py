"""Whose work is behind, who has too much of it, and what does it cost? Cases of milestone risk, delay, load, budget, labor cost."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from datetime import date, timedelta

from sqlalchemy import text

from infra.local.demo.people import DEPARTMENT, ROLE, USER
from infra.local.demo.production import WORKSHOP
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

# project, milestone (its case and the level of its risk), key, planned, linked tasks (status:weight)
RISKS = (
    ("PJ06", "治具验证【8 天后到期，任务未完成：不预警】", False, 8, "TODO:0.5"),
    ("PJ06", "空运行【7 天后到期，完成 0%：WARNING】", False, 7, "TODO:0.5 CANCELLED:5"),
    ("PJ06", "点检表【4 天后到期，完成 79.9%：WARNING】", True, 4, "DONE:7.99 TODO:2.01"),
    ("PJ06", "密封测试【4 天后到期，正好 80%：不预警】", True, 4, "DONE:8 IN_PROGRESS:2"),
    ("PJ06", "备份程序【3 天后到期，完成 50%：CRITICAL】", False, 3, "DONE:0.5 TODO:0.5"),
    ("PJ06", "客户签样【关键，6 天后到期，没有关联任务：INFO】", True, 6, ""),
    ("PJ06", "标识核对【6 天后到期，没有关联任务：不预警】", False, 6, ""),
    ("PJ01", "绝缘复测【6 天后到期，项目有阻塞问题升一级：CRITICAL】", False, 6, "TODO:0.5"),
    ("PJ01", "装箱检查【2 天后到期，项目有阻塞问题升一级：URGENT】", True, 2, "TODO:0.5"),
    ("PJ16", "动平衡复验【5 天后到期，有受阻任务升一级：CRITICAL】", False, 5, "BLOCKED:0.5 TODO:0.5"),
    ("PJ04", "打磨头联调【7 天后到期，缺料升一级：CRITICAL】", False, 7, "TODO:0.5"),
    ("PJ19", "备件移交【项目已结案，2 天后到期：不预警】", False, 2, "TODO:0.5"),
)
# project, task (its case and level), planned end, status, on the critical path
TASKS = (
    ("PJ16", "丝杠装配【今天到期：不预警】", 0, "TODO", False),
    ("PJ16", "联轴器对中【延期 1 天：WARNING】", -1, "TODO", False),
    ("PJ16", "传感器标定【延期 2 天：WARNING】", -2, "IN_PROGRESS", False),
    ("PJ16", "夹具打样【延期 3 天：CRITICAL】", -3, "TODO", False),
    ("PJ16", "线束制作【延期 6 天：CRITICAL】", -6, "TODO", False),
    ("PJ16", "安全回路【延期 7 天：URGENT】", -7, "IN_PROGRESS", False),
    ("PJ16", "主轴试装【关键路径，延期 1 天升一级：CRITICAL】", -1, "TODO", True),
    ("PJ16", "主轴跑合【关键路径，延期 3 天升一级：URGENT】", -3, "TODO", True),
    ("PJ16", "压装曲线【受阻，延期 4 天：CRITICAL】", -4, "BLOCKED", False),
    ("PJ16", "外观检查【已完成，延期 5 天：不预警】", -5, "DONE", False),
    ("PJ16", "备选方案【已取消，延期 5 天：不预警】", -5, "CANCELLED", False),
    ("PJ16", "文件归档【没有计划完成日：不预警】", None, "TODO", False),
    ("PJ19", "尾款资料【项目已结案，延期 5 天：不预警】", -5, "TODO", False),
    ("PJ24", "旧线清点【项目已归档，延期 5 天：不预警】", -5, "TODO", False),
)
# work order (its case and level), planned end, status
ORDERS = (
    ("护罩返修【今天到期：不预警】", 0, "PAUSED"), ("支架返修【延期 1 天：WARNING】", -1, "PAUSED"),
    ("底板返修【延期 3 天：CRITICAL】", -3, "PAUSED"), ("立柱返修【延期 7 天：URGENT】", -7, "PAUSED"),
    ("门板返修【已完成，延期 7 天：不预警】", -7, "COMPLETED"), ("面板返修【已取消，延期 7 天：不预警】", -7, "CANCELLED"),
)
# person, their load (its case and level), tasks over the whole window by progress
LOADS = (
    ("guoliang", "正好 110%：不预警", (0, 90)), ("linxia", "111%：WARNING", (0, 89)), ("songjia", "正好 150%：WARNING", (0, 50)),
    ("liangwei", "151%：CRITICAL", (0, 49)), ("jialei", "正好 200%：CRITICAL", (0, 0)), ("dingning", "201%：URGENT", (0, 0, 99)),
)
# project, its cost rows come to, description of the one that takes it there (its case and level)
COSTS = (
    ("PJ12", "559930", "外协加工【已用 79.99%：不预警】"), ("PJ13", "720000", "外协加工【已用 80%：INFO】"),
    ("PJ14", "824000", "外协加工【已用 103%：WARNING】"), ("PJ15", "659940", "外协加工【已用 109.99%：WARNING】"),
    ("PJ16", "1210000", "外协加工【已用 110%：CRITICAL】"), ("PJ17", "1139905", "外协加工【已用 119.99%：CRITICAL】"),
    ("PJ18", "1044000", "外协加工【已用 120%：URGENT】"), ("PJ23", "500000", "外协加工【已用 64%，加在途采购正好 100%：WARNING】"),
)
TIMEKEEPERS = ("liuyang", "sunyue", "huanglei", "machao", "zhenghao", "songjia")


def populate(factory: Factory) -> None:
    """The cases; then rates, last month's time, and a locked month that somebody approved time for too late."""
    _risks(factory)
    _delays(factory)
    factory.insert(
        "erp.project_tasks", "project_id task_name status owner_id plan_start plan_end progress_percent weight updated_at",
        [(PROJECT["PJ06"], f"图纸会审与资料整理【负荷{case}】", "IN_PROGRESS", USER[name], factory.date(0), factory.date(29), progress, "0.01",
          factory.instant(-2)) for name, case, shares in LOADS for progress in shares],
    )
    _costs(factory)
    _labor(factory)


def _risks(factory: Factory) -> None:
    first = factory.connection.execute(text("select max(id) + 1 from erp.project_milestones")).scalar_one()
    factory.insert(
        "erp.project_milestones", "id project_id milestone_code milestone_name planned_date status is_key reminder_days owner_id",
        [(first + number, PROJECT[key], f"{key}-MR{number:02}", name, factory.date(planned), "PENDING", is_key, 0, USER["gaoxiang"])
         for number, (key, name, is_key, planned, _) in enumerate(RISKS)],
    )
    factory.insert(
        "erp.project_tasks", "project_id milestone_id task_name status owner_id plan_start plan_end progress_percent weight updated_at",
        [(PROJECT[key], first + number, f"{name.split('【')[0]}准备", status, USER["jiangxue"], factory.date(-3), factory.date(planned),
          100 if status == "DONE" else 20, weight, factory.instant(-2))
         for number, (key, name, _, planned, tasks) in enumerate(RISKS)
         for status, weight in (task.split(":") for task in tasks.split())],
    )


def _delays(factory: Factory) -> None:
    factory.insert(
        "erp.project_tasks", "project_id task_name status owner_id plan_start plan_end progress_percent weight is_critical updated_at",
        [(PROJECT[key], name, status, USER["machao"], factory.date(-12), factory.date(end), 30, "0.01", critical, factory.instant(-2))
         for key, name, end, status, critical in TASKS],
    )
    factory.insert(
        "erp.work_orders", "work_order_no task_name project_id workshop_id plan_qty completed_qty plan_start_date plan_end_date status priority",
        [(f"WO-R{number:03}", name, PROJECT["PJ06"], WORKSHOP["JJ"], 4, 4 if status == "COMPLETED" else 1, factory.date(end - 5),
          factory.date(end), status, "NORMAL") for number, (name, end, status) in enumerate(ORDERS, 1)],
    )


def _costs(factory: Factory) -> None:
    factory.connection.execute(
        text("""insert into erp.project_costs (project_id, cost_type, cost_category, amount, cost_date, description)
          select p.id, 'OTHER', '外协费用', r.amount - (select sum(c.amount) from erp.project_costs c where c.project_id = p.id), :day, r.description
          from unnest(cast(:ids as bigint[]), cast(:amounts as numeric[]), cast(:said as text[])) as r (id, amount, description)
          join erp.projects p on p.id = r.id"""),
        {"day": factory.date(-5), "ids": [PROJECT[key] for key, _, _ in COSTS], "amounts": [amount for _, amount, _ in COSTS],
         "said": [said for _, _, said in COSTS]},
    )
    factory.connection.execute(  # of PJ14 the stored cost stays behind: a data defect
        text("""update erp.projects p set actual_cost = (select sum(c.amount) from erp.project_costs c where c.project_id = p.id)
          where p.id = any(:ids)"""),
        {"ids": [PROJECT[key] for key, _, _ in COSTS if key != "PJ14"]},
    )
    order = factory.connection.execute(text("select max(id) + 1 from erp.purchase_orders")).scalar_one()
    factory.insert(
        "erp.purchase_orders", "id order_no order_title project_id buyer_id status required_date",
        [(order, "PO-R001", "焊接电源采购（45 天后到货）", PROJECT["PJ23"], USER["kowalska"], "ORDERED", factory.date(45))],
    )
    factory.insert(
        "erp.purchase_order_items", "order_id specification quantity received_qty unit_price required_date updated_at",
        [(order, "WS-500", 4, 0, 70000, factory.date(45), factory.instant(-3))],
    )


def _labor(factory: Factory) -> None:
    last = (factory.day.replace(day=1) - timedelta(days=1)).replace(day=1)
    before = (last - timedelta(days=1)).replace(day=1)
    middle = last + timedelta(days=14)
    rates: list[tuple[str, int | None, int | None, int | None, int, date | None, date | None]] = [
        ("DEFAULT", None, None, None, 80, None, None), ("DEPT", None, None, DEPARTMENT["RD"], 120, None, None),
        ("ROLE", None, ROLE["QA"], None, 95, None, None), ("USER", USER["liuyang"], None, None, 150, None, middle - timedelta(days=1)),
        ("USER", USER["liuyang"], None, None, 165, middle, None),  # a raise within the month
    ]
    factory.insert("erp.hourly_rates", "scope user_id role_id dept_id hourly_rate effective_date expiry_date", rates)
    kinds = ("NORMAL", "NORMAL", "NORMAL", "OVERTIME", "WEEKEND")
    time = [
        (USER[name], PROJECT[f"PJ{(number + day) % 6 + 1:02}"] if day % 9 else None, last + timedelta(days=day), 8, kinds[(number + day) % 5],
         "SUBMITTED" if day == 20 else "APPROVED", None if day == 20 else factory.instant(-1, "18:00"))
        for number, name in enumerate(TIMEKEEPERS) for day in range(21)
    ]
    time.append((USER["sunyue"], PROJECT["PJ03"], before + timedelta(days=3), 6, "NORMAL", "APPROVED", factory.instant(-1, "17:00")))
    factory.insert("erp.timesheets", "user_id project_id work_date hours overtime_type status approved_at", time)
    factory.insert(
        "belfry.labor_cost_periods", "period status projects users hours amount overhead_hours overhead_amount calculated_at",
        [(before, "LOCKED", 6, 4, 640, 76800, 0, 0, factory.instant(-20, "02:00"))],
    )
