"""Which other systems does the factory exchange rows with? One of every kind of trouble, and those that simply work.

The systems themselves are infra/local/sources; what they say on a factory's day is made here too.
"""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from collections.abc import Mapping
from datetime import date
from typing import Any

from infra.local.demo.materials import SUPPLIERS
from infra.local.demo.people import USER
from infra.local.demo.rows import Factory
from infra.local.sources.faults import SourceFaults

CREDENTIAL = "LOCAL_SYSTEMS"
# code, name (its case and the level it should get), direction, entity, system, position, policy, failed runs, up to date as of (hour of yesterday)
SOURCES: tuple[tuple[str, str, str, str, str, int, str, int, str], ...] = (
    ("MDM-SUPPLIER", "主数据供应商（两家新供应商：不预警）", "PULL", "suppliers", "mdm-suppliers", 10, "SOURCE_WINS", 0, "23:59"),
    ("PLM-MATERIAL", "PLM 物料（30 行中 2 行坏数据被隔离：不预警）", "PULL", "materials", "plm-materials", 20, "SOURCE_WINS", 0, "23:59"),
    ("WMS-STOCK", "仓储系统库存（以较新者为准：不预警）", "PULL", "stock", "wms-stock", 30, "NEWEST", 0, "23:59"),
    ("MRP-OLD", "旧 MRP 物料（已失败 2 次，本次第 3 次且落后超过 2 小时：CRITICAL）", "PULL", "materials", "mrp-old", 40, "LOCAL_WINS", 2, "12:00"),
    ("SRM-SUPPLIER", "SRM 供应商（10 家中 3 家消失，停下等人确认，超过 2 小时：CRITICAL）", "PULL", "suppliers", "srm-suppliers", 50, "LOCAL_WINS", 0, "23:59"),
    ("SRM-SHORTAGE", "缺料发往采购协同平台（不预警）", "PUSH", "shortages", "srm-shortages", 60, "SOURCE_WINS", 0, "23:59"),
)
FAULTS = {"mrp-old": SourceFaults(http_status=503)}



def populate(factory: Factory) -> None:
    """The sources, and what the one with vanished rows had brought before."""
    factory.insert(
        "belfry.sync_sources",
        "id source_code source_name direction entity endpoint credential_ref position batch_size enabled conflict_policy time_zone owner_id failed_runs watermark_at created_at",
        [(number, code, name, direction, entity, f"/sources/{system}", CREDENTIAL, position, 20, True, policy, "Asia/Shanghai",
          USER["yefan"], failed, factory.instant(-1, clock), factory.instant(-30))
         for number, (code, name, direction, entity, system, position, policy, failed, clock) in enumerate(SOURCES, 1)],
    )
    source = next(number for number, entry in enumerate(SOURCES, 1) if entry[0] == "SRM-SUPPLIER")
    factory.insert(
        "belfry.sync_external_refs", "source_id external_key local_table local_id row_hash synced_at is_deleted",
        [(source, f"SRM-{number}", "erp.suppliers", (number - 1) % len(SUPPLIERS) + 1, "-", factory.instant(-7), False)
         for number in range(1, 11)],
    )


def rows(day: date) -> Mapping[str, list[dict[str, Any]]]:
    """What each system has on the morning of a day."""

    def at(offset: int, clock: str) -> str:
        return f"{date.fromordinal(day.toordinal() + offset)}T{clock}:00"

    def row(key: str, changed: str, **data: Any) -> dict[str, Any]:
        return {"key": key, "changed_at": changed, "data": data}

    names = dict(enumerate(SUPPLIERS, 1)) | {len(SUPPLIERS) + 1: "合肥精密铸造有限公司", len(SUPPLIERS) + 2: "嘉兴弹簧制造有限公司"}
    suppliers = [row(f"MDM-{n}", at(-30 + n, "10:00"), code=f"SUP{n:02}", name=name) for n, name in names.items()]
    materials = [
        row(
            f"PLM-{n:03}", at(-2, f"{8 + n // 6:02}:{n % 6 * 10:02}"), code=f"NP-{n:03}",
            name="" if n == 7 else f"新产品试制件 {n}", unit="件", type="MAKE" if n % 3 else "PURCHASE", safety_stock=n % 4,
            lead_time_days="很快" if n == 19 else 10 + n, min_order_qty=1, supplier=f"SUP{n % 10 + 1:02}", active=True,
        )
        for n in range(1, 31)
    ]  # fmt: skip
    stock = [
        row(f"WMS-{n:03}", at(-1, f"20:{n:02}"), material=f"NP-{n:03}", warehouse="WH-RAW", quantity=5 * n, reserved=n % 3)
        for n in range(1, 13) if n not in (7, 19)
    ]  # fmt: skip
    left = [row(f"SRM-{n}", at(-8, f"09:{n:02}"), code=f"SUP{(n - 1) % 8 + 1:02}", name=SUPPLIERS[(n - 1) % 8]) for n in range(1, 9 - 1)]
    return {
        "mdm-suppliers": suppliers, "plm-materials": materials, "wms-stock": stock, "mrp-old": [], "srm-suppliers": left,
    }  # fmt: skip


