"""What did the company's own system write down? A log of half a year, a month a partition; its old lines are to go."""

from datetime import date, timedelta

from sqlalchemy import text

from infra.local.demo.rows import Factory

DAYS = (1, 5, 20, 50, 80, 95, 120, 150, 180)  # before the factory's day; the retention is 90
MODULES = (("auth", "用户登录"), ("purchase", "采购单保存"), ("stock", "库存过账"), ("issue", "问题状态变更"))


def populate(factory: Factory) -> None:
    """A partition for each month that a line falls into, and a line of every module on every one of the days."""
    months = sorted({(factory.day - timedelta(days)).replace(day=1) for days in DAYS})
    for first in months:
        following = (first + timedelta(31)).replace(day=1)
        factory.connection.execute(text(_partition(first, following)))
    factory.insert(
        "erp.system_logs", "id at level module message",
        [(4 * place + number, factory.instant(-days, f"{8 + number:02}:15"), "INFO", module, f"{said}（{days} 天前）")
         for place, days in enumerate(DAYS) for number, (module, said) in enumerate(MODULES, 1)],
    )


def _partition(first: date, following: date) -> str:
    return (
        f"create table erp.system_logs_{first:%Y_%m} partition of erp.system_logs "
        f"for values from ('{first} 00:00+08') to ('{following} 00:00+08')"
    )
