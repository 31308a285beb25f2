"""What is on people's desks? Tasks on both sides of every threshold of time, deadline, recurrence and archive, and read messages."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from datetime import timedelta
from typing import Any

from infra.local.demo.people import USER
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

# title (its case and the level it should get all day), project, status, percent of its hundred days gone at midnight, progress
WARNED = (
    ("电控柜图纸审核（时间 79%，进度 0%：不预警）", "PJ01", "PROCESSING", 79, 0),
    ("夹具三维设计（时间 80%，进度 79%：INFO）", "PJ01", "PROCESSING", 80, 79),
    ("气路图绘制（时间 80%，进度 80%：不预警）", "PJ01", "PROCESSING", 80, 80),
    ("视觉方案验证（时间 89%，进度 79%：INFO）", "PJ02", "PROCESSING", 89, 79),
    ("机器人轨迹仿真（时间 90%，进度 89%：WARNING）", "PJ02", "PROCESSING", 90, 89),
    ("安全评估报告（时间 92%，进度 85%：WARNING）", "PJ02", "PROCESSING", 92, 85),
    ("备件清单整理（时间 92%，进度 91%：不预警）", "PJ02", "PROCESSING", 92, 91),
    ("客户培训教材（时间 95%，进度 94%，同时通知创建人：CRITICAL）", "PJ03", "PROCESSING", 95, 94),
    ("操作手册英文版（时间 95%，进度 95%：不预警）", "PJ03", "PROCESSING", 95, 95),
    ("调试程序归档（时间 99%，进度 94%：CRITICAL）", "PJ03", "PROCESSING", 99, 94),
    ("验收资料汇编（已到期，进度 99%：URGENT）", "PJ03", "PROCESSING", 100, 99),
    ("工装改造方案（逾期很久，进度 40%：URGENT）", "PJ04", "PROCESSING", 130, 40),
    ("线体节拍复测（已到期，进度 100% 未关闭：不预警）", "PJ04", "PROCESSING", 130, 100),
    ("扭矩标定（挂起：不预警）", "PJ04", "SUSPENDED", 99, 10),
    ("节能改造调研（还没开始处理：不预警）", "PJ04", "NEW", 99, 0),
    ("项目总结（项目已结案：不预警）", "PJ19", "PROCESSING", 99, 10),
    ("车间看板更新（没有项目，时间 96%，进度 50%：CRITICAL）", None, "PROCESSING", 96, 50),
)
# title (the reminder at 09:00), status, days to the deadline, at, hours before it, overdue for the creator too
REMINDED = (
    ("方案评审纪要（24 小时零 1 分后到期：不提醒）", "PROCESSING", 1, "09:01", 24),
    ("图纸会签（正好 24 小时后到期：H24）", "PROCESSING", 1, "09:00", 24),
    ("样件送检（2 小时零 1 分后到期：H24）", "NEW", 0, "11:01", 24),
    ("周报提交（正好 2 小时后到期：H2）", "PENDING", 0, "11:00", 24),
    ("备料确认（现在到期，算逾期：OVER）", "PROCESSING", 0, "09:00", 24),
    ("合同评审意见（昨天到期，每天提醒：OVER）", "PROCESSING", -1, "18:00", 24),
    ("现场勘测报告（逾期 4 天，同时告知创建人：OVER）", "PROCESSING", -4, "18:00", 24),
    ("年度计划草案（提前 48 小时提醒：H48）", "NEW", 2, "08:00", 48),
    ("设备台账更新（只提前 2 小时提醒，还剩 3 小时：不提醒）", "NEW", 0, "12:00", 2),
    ("旧线拆除（逾期但已挂起：不提醒）", "SUSPENDED", -1, "18:00", 24),
    ("包装方案（逾期但已完成：不提醒）", "COMPLETED", -1, "18:00", 24),
    ("展会报名（逾期但已取消：不提醒）", "CANCELLED", -1, "18:00", 24),
    ("会议室预订（负责人关闭了提醒：不提醒）", "NEW", 0, "10:00", None),
)
# title (what the night does at 02:00), status, started days ago, at, recurrence: frequency, every, end date, active (None: nobody has said)
PERIODIC = (
    ("周例会（每周，上次 6 天 23 小时前开始：不重置）", "COMPLETED", -7, "03:00", None),
    ("设备周点检（每周，上次正好 7 天前开始：重置）", "COMPLETED", -7, "02:00", None),
    ("库房温湿度记录（每周，错过两个周期，只重置一次：重置）", "COMPLETED", -17, "02:00", None),
    ("班前会记录（每天：重置）", "COMPLETED", -1, "02:00", ("DAILY", 1, None, True)),
    ("消防通道检查（每 3 天，上次 2 天前：不重置）", "COMPLETED", -2, "02:00", ("DAILY", 3, None, True)),
    ("双周质量会（每两周，上次 7 天前：不重置）", "COMPLETED", -7, "02:00", ("WEEKLY", 2, None, True)),
    ("双周物料对账（每两周，上次 14 天前：重置）", "COMPLETED", -14, "02:00", ("WEEKLY", 2, None, True)),
    ("供应商走访（每周，未完成，只记错过：错过）", "NEW", -7, "02:00", None),
    ("能耗抄表（已关闭，没有说继续：不重置）", "CLOSED", -7, "02:00", None),
    ("刀具盘点（已关闭，仍要重复：重置）", "CLOSED", -7, "02:00", ("WEEKLY", 1, None, True)),
    ("临时巡检（重复已停用：不重置）", "COMPLETED", -7, "02:00", ("WEEKLY", 1, None, False)),
    ("试产跟踪会（结束日期已过：停止）", "COMPLETED", -7, "02:00", ("WEEKLY", 1, -3, True)),
    ("空压机保养（挂起：不重置）", "SUSPENDED", -7, "02:00", None),
)
# title (what the clean-up does on Sunday), status, not touched for days, part of which task, still recurring
ENDED = (
    ("旧版程序备份（关闭超过 90 天：归档）", "CLOSED", -110, False),
    ("报废夹具清理（取消超过 90 天：归档）", "CANCELLED", -300, False),
    ("搬迁方案（关闭不到 90 天：保留）", "CLOSED", -80, False),
    ("历史图纸整理（完成未关闭：保留）", "COMPLETED", -300, False),
    ("产线升级总任务（关闭，但有未完成的子任务：保留）", "CLOSED", -300, False),
    ("季度审核（关闭，但仍要重复，每 3 年一次：保留）", "CLOSED", -300, True),
)
PART = "产线升级子任务（还没做完：保留）"
PEOPLE = ("liuyang", "sunyue", "huanglei", "kowalska", "zhenghao", "weber")
OLD_MESSAGES = 3  # read more than half a year ago: the clean-up finds them


def populate(factory: Factory) -> None:
    """All cases in one table, then how they come back, what they did before, and messages read long ago."""
    rows: list[tuple[Any, ...]] = [*_warned(factory), *_reminded(factory), *_periodic(factory), *_ended(factory)]
    whole = next(number for number, row in enumerate(rows, 1) if row[0].startswith("产线升级总任务"))
    rows.append((PART, "NORMAL", None, "NEW", 0, None, None, None, 24, True, -300, "WORK_TASK", whole))
    factory.insert(
        "erp.work_tasks", "id task_code title category project_id status progress expected_start expected_end deadline "
        "reminder_before_hours reminder_enabled updated_at source_type source_id task_type creator_id assignee_id priority "
        "time_progress created_at actual_start actual_end",
        [(number, f"TK-{number:04}", title, category, project, status, progress, start, end, deadline, hours, enabled,
          factory.instant(touched), source, source_id, "MANUAL", USER["suhui"], USER[PEOPLE[number % len(PEOPLE)]],
          "HIGH" if number % 4 == 0 else "MEDIUM", 0, factory.instant(-400),
          start if status in ("COMPLETED", "CLOSED") else None, None)
         for number, (title, category, project, status, progress, start, end, deadline, hours, enabled, touched, source, source_id)
         in enumerate(rows, 1)],
    )
    number_of = {row[0]: number for number, row in enumerate(rows, 1)}
    factory.insert(
        "belfry.task_recurrence", "task_id frequency every end_date is_active missed_count updated_at",
        [(number_of[title], frequency, every, factory.date(end), active, 0, factory.instant(-30))
         for title, _, _, _, recurrence in PERIODIC if recurrence for frequency, every, end, active in (recurrence,)]
        + [(number_of[title], "YEARLY", 3, None, True, 0, factory.instant(-300)) for title, _, _, recurs in ENDED if recurs],
    )
    factory.insert(
        "belfry.task_cycles", "task_id cycle_no status progress missed_count expected_start expected_end actual_start actual_end closed_at",
        [(number_of[PERIODIC[1][0]], cycle, "COMPLETED", 100, int(cycle == 2), factory.instant(-42 + 7 * cycle, "02:00"),
          factory.instant(-39 + 7 * cycle, "02:00"), factory.instant(-42 + 7 * cycle), factory.instant(-40 + 7 * cycle),
          factory.instant(-35 + 7 * cycle, "02:00")) for cycle in range(1, 5)],
    )
    _old_messages(factory)


def _warned(factory: Factory) -> list[tuple[Any, ...]]:
    return [(title, "NORMAL", PROJECT[project] if project else None, status, progress, factory.instant(-gone, "00:00"),
             factory.instant(100 - gone, "00:00"), None, 24, True, -1, None, None)
            for title, project, status, gone, progress in WARNED]


def _reminded(factory: Factory) -> list[tuple[Any, ...]]:
    return [(title, "URGENT" if hours == 48 else "NORMAL", None, status, 30, None, None, factory.instant(days, clock), hours or 24,
             hours is not None, -5, None, None) for title, status, days, clock, hours in REMINDED]


def _periodic(factory: Factory) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for title, status, days, clock, _ in PERIODIC:
        start = factory.instant(days, clock)
        done = status in ("COMPLETED", "CLOSED")
        rows.append((title, "PERIODIC", None, status, 100 if done else 40, start, start + timedelta(hours=20), None, 24, True,
                     -1, None, None))
    return rows


def _ended(factory: Factory) -> list[tuple[Any, ...]]:
    return [(title, "OTHER", None, status, 100, factory.instant(touched - 20), factory.instant(touched), None, 24, True, touched,
             None, None) for title, status, touched, _ in ENDED]


def _old_messages(factory: Factory) -> None:
    connection, made, read = factory.connection, factory.instant(-220), factory.instant(-219)
    notifications = connection.exec_driver_sql("select coalesce(max(id), 0) from belfry.notifications").scalar_one()
    deliveries = connection.exec_driver_sql("select coalesce(max(id), 0) from belfry.notification_deliveries").scalar_one()
    numbers = range(1, OLD_MESSAGES + 1)
    facts = {"target_no": "TK-0001", "target_name": "电控柜图纸审核", "rule_name": "旧消息"}
    factory.insert(
        "belfry.notifications", "id dedupe_key type reason severity recipients facts not_after fanned_out created_at",
        [(notifications + n, f"DEMO|OLD|{n}", "ALERT", "REMINDER", "INFO", [f"USER:{USER['suhui']}"], facts, read, True, made)
         for n in numbers],
    )
    factory.insert(
        "belfry.notification_deliveries", "id notification_id user_id channel generation state target priority attempt failures phase "
        "next_attempt_at not_after uncertain_count created_at sent_at read_at",
        [(deliveries + n, notifications + n, USER["suhui"], "system", 0, "sent", str(USER["suhui"]), 3, 1, 0, "accepted", made, read, 0,
          made, made, read) for n in numbers],
    )
