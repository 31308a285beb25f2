"""What does the stock ledger say? The movements behind every row, and materials on both sides of each limit of the stock-take."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from sqlalchemy import text

from infra.local.demo.materials import WAREHOUSE
from infra.local.demo.people import USER
from infra.local.demo.rows import Factory

# name, its case and the level it should get, key material, safety stock, price, in stock, reserved, frozen, by the ledger, days since it moved
CASES = (
    ("盘点件 负库存", "账面 -4（负库存：CRITICAL）", False, 0, 120, -4, 0, 0, -4, 12),
    ("盘点件 零库存", "账面 0（负库存：不预警）", False, 0, 120, 0, 0, 0, 0, 12),
    ("盘点件 账多", "账面 53，流水 50（流水不符：WARNING）", False, 0, 35, 53, 0, 0, 50, 3),
    ("盘点件 账少", "账面 49.5，流水 50（流水不符：WARNING）", True, 0, 35, "49.5", 0, 0, 50, 3),
    ("盘点件 相符", "账面 50，流水 50（流水相符：不预警）", False, 0, 35, 50, 0, 0, 50, 3),
    ("盘点件 安全之上", "可用 20，安全库存 20（安全库存：不预警）", False, 20, 18, 20, 0, 0, 20, 3),
    ("盘点件 安全之下", "可用 19，安全库存 20（安全库存：INFO）", False, 20, 18, 19, 0, 0, 19, 3),
    ("盘点件 关键", "关键物料可用 19，安全库存 20（安全库存：WARNING）", True, 20, 1800, 19, 0, 0, 19, 3),
    ("盘点件 预留冻结", "账面 30 扣预留 6 冻结 5（安全库存：INFO）", False, 20, 18, 30, 6, 5, 30, 3),
    ("盘点件 呆滞", "200 天没有出入库，只在盘点表标注（安全库存：不预警）", False, 0, 900, 8, 0, 0, 8, 200),
)


def populate(factory: Factory) -> None:
    """The cases with their stock; then what came in of everything, so that the ledger agrees but where a case says so."""
    first, row = _next(factory, "erp.materials"), _next(factory, "erp.inventories")
    factory.insert(
        "erp.materials",
        "id material_code material_name specification unit material_type abc_class is_key_material safety_stock lead_time_days min_order_qty "
        "standard_price buyer_id is_active",
        [(first + n, f"KC-{n + 1:02}", name, case, "件", "PURCHASE", "C", key, safety, 7, 1, price, USER["zhumin"], True)
         for n, (name, case, key, safety, price, *_) in enumerate(CASES)],
    )
    factory.insert(
        "erp.inventories", "id material_id warehouse_id batch_no quantity reserved_qty frozen_qty last_counted_at updated_at",
        [(row + n, first + n, WAREHOUSE["WH-RAW"], "", quantity, reserved, frozen, factory.instant(-30), factory.instant(-moved))
         for n, (_, _, _, _, _, quantity, reserved, frozen, _, moved) in enumerate(CASES)],
    )
    factory.connection.execute(
        text("""insert into erp.inventory_transactions (inventory_id, type, quantity, source_type, occurred_at)
                select id, 'IN', quantity, 'RECEIPT', :at from erp.inventories where id < :row and quantity <> 0"""),
        {"at": factory.instant(-40), "row": row},
    )
    factory.insert(
        "erp.inventory_transactions", "inventory_id type quantity source_type occurred_at",
        [movement for n, (*_, booked, moved) in enumerate(CASES)
         for movement in ((row + n, "IN", booked + 7, "RECEIPT", factory.instant(-moved - 20)), (row + n, "OUT", 7, "ISSUE", factory.instant(-moved)))],
    )


def _next(factory: Factory, table: str) -> int:
    """The number of the row that comes next."""
    return int(factory.connection.execute(text(f"select max(id) + 1 from {table}")).scalar_one())  # noqa: S608 - names from this module
