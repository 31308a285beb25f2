"""Who has to do what, and how often? Duties on both sides of every edge of the calendar; a title says how many tasks come of it."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from datetime import timedelta

from infra.local.demo.people import DEPARTMENT, POSITION
from infra.local.demo.rows import Factory

# title (tasks made at 04:00), position, department, frequency, on the day so many days ahead, days before it that the task is made, what is special
DUTIES = (
    ("首件检验记录（每天：2 个）", "检验员", None, "DAILY", 0, 3, ""),
    ("库位抽盘（每周，就在今天：2 个）", "仓管员", None, "WEEKLY", 0, 3, ""),
    ("供应商对账（每周，3 天后，提前 3 天：3 个）", "采购员", None, "WEEKLY", 3, 3, ""),
    ("供应商评分（每周，4 天后，提前 3 天：不生成）", "采购员", None, "WEEKLY", 4, 3, ""),
    ("凭证装订（每月，就在今天：1 个）", "会计", None, "MONTHLY", 0, 3, ""),
    ("工装校验（每月，明天，提前 0 天：不生成）", "车间主任", None, "MONTHLY", 1, 0, ""),
    ("消防演练（每年，就在今天：4 个）", "车间主任", None, "YEARLY", 0, 3, ""),
    ("安全培训（每年，100 天后，提前 3 天：不生成）", "车间主任", None, "YEARLY", 100, 3, ""),
    ("设备点检（每天，休息日顺延到工作日，离职的人没有：4 个）", "装配技师", None, "DAILY", 0, 15, "skip"),
    ("质量日报（只限质量部：2 个）", "检验员", "QAD", "DAILY", 0, 3, ""),
    ("来料协调（采购部没有检验员，每周报给 PMO：不生成）", "检验员", "PUR", "DAILY", 0, 3, ""),
    ("晨会纪要（已停用：不生成）", "车间主任", None, "DAILY", 0, 3, "inactive"),
    ("现场 5S 评分（不自动生成：不生成）", "车间主任", None, "DAILY", 0, 3, "by hand"),
)


def populate(factory: Factory) -> None:
    """Every duty with its day counted from the factory's."""
    rows = []
    for number, (title, position, department, frequency, ahead, before, special) in enumerate(DUTIES, 1):
        on = factory.day + timedelta(ahead)
        rows.append((
            number, title, f"{title.split('（')[0]}，按作业指导书执行", POSITION[position],
            DEPARTMENT[department] if department else None, frequency, on.isoweekday() if frequency == "WEEKLY" else None,
            on.day if frequency in ("MONTHLY", "YEARLY") else None, on.month if frequency == "YEARLY" else None, before, 0,
            special == "skip", "MEDIUM", 0.5, special != "by hand", special != "inactive",
        ))
    factory.insert(
        "erp.job_duty_templates", "id duty_name duty_description position_id department_id frequency day_of_week day_of_month "
        "month_of_year generate_before_days deadline_offset_days skip_rest_days default_priority estimated_hours auto_generate is_active",
        rows,
    )
