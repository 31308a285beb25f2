"""What is on order? Purchase orders on both sides of every threshold of the delivery alert, the ones kits wait for, and a history."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from infra.local.demo.materials import MATERIAL, PLENTY, SUPPLIERS
from infra.local.demo.people import USER
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

Line = tuple[str, int, int, int | None, int | None]
# title (its case and the level it should get), project, buyer, status, required, promised,
# lines: material, quantity, received, required, promised
CASES: tuple[tuple[str, str, str, str, int | None, int | None, tuple[Line, ...]], ...] = (
    ("伺服电机采购（今天到期：不预警）", "PJ01", "sunlei", "ORDERED", 0, None, (("SM-4", 6, 0, None, None),)),
    ("减速机采购（明天到期：不预警）", "PJ01", "sunlei", "ORDERED", 1, None, (("RD-4", 6, 0, None, None),)),
    ("驱动器采购（逾期 1 天：WARNING）", "PJ01", "sunlei", "ORDERED", -1, None, (("SD-4", 6, 0, None, None),)),
    ("触摸屏采购（逾期 6 天：WARNING）", "PJ01", "zhumin", "ORDERED", -6, None, (("HM-3", 2, 0, None, None),)),
    ("工业相机采购（逾期 7 天：CRITICAL）", "PJ02", "zhumin", "ORDERED", -7, None, (("VC-3", 4, 0, None, None),)),
    ("镜头采购（逾期 13 天：CRITICAL）", "PJ02", "zhumin", "ORDERED", -13, None, (("LN-3", 4, 0, None, None),)),
    ("直线导轨采购（逾期 14 天：URGENT）", "PJ02", "zhumin", "ORDERED", -14, None, (("LG-2", 16, 0, None, None),)),
    ("滚珠丝杠采购（逾期 40 天：URGENT）", "PJ02", "kowalska", "ORDERED", -40, None, (("BS-3", 8, 0, None, None),)),
    ("电磁阀采购（已批准未下单，逾期 3 天：WARNING）", "PJ03", "kowalska", "APPROVED", -3, None, (("VL-2", 30, 0, None, None),)),
    ("气缸采购（只到 6/10，逾期 8 天：CRITICAL）", "PJ03", "kowalska", "PARTIAL_RECEIVED", -8, None, (("CY-3", 10, 6, None, None),)),
    ("断路器采购（已全部到货而订单未关，数据缺陷：不预警）", "PJ03", "sunlei", "ORDERED", -8, None, (("CB-2", 20, 20, None, None),)),
    ("端子采购（草稿，逾期 10 天：不预警）", "PJ03", "sunlei", "DRAFT", -10, None, (("TB-2", 200, 0, None, None),)),
    ("轴承采购（待审批，逾期 10 天：不预警）", "PJ03", "sunlei", "PENDING_APPROVAL", -10, None, (("BR-2", 40, 0, None, None),)),
    ("型材采购（被驳回，逾期 10 天：不预警）", "PJ03", "sunlei", "REJECTED", -10, None, (("AL-3", 60, 0, None, None),)),
    ("钣金采购（已取消，逾期 10 天：不预警）", "PJ03", "sunlei", "CANCELLED", -10, None, (("SH-2", 4, 0, None, None),)),
    ("开关电源采购（已收货，逾期 10 天：不预警）", "PJ03", "sunlei", "RECEIVED", -10, None, (("PW-3", 4, 4, None, None),)),
    ("接触器采购（已完成，逾期 10 天：不预警）", "PJ03", "sunlei", "COMPLETED", -10, None, (("CT-2", 12, 12, None, None),)),
    ("机加件采购（行需求日在 5 天后，以行为准：不预警）", "PJ04", "zhumin", "ORDERED", -20, None, (("PT-1", 4, 0, 5, None),)),
    ("轴承座采购（行已逾期 7 天，以行为准：CRITICAL）", "PJ04", "zhumin", "ORDERED", 10, None, (("PT-7", 4, 0, -7, None),)),
    ("气源件采购（两行逾期 2 天和 9 天，以最久为准：CRITICAL）", "PJ04", "zhumin", "ORDERED", -2, None,
     (("FR-2", 4, 0, None, None), ("FR-4", 4, 0, -9, None))),
    ("开关采购（逾期 9 天的行已到齐，剩下一行逾期 2 天：WARNING）", "PJ04", "zhumin", "PARTIAL_RECEIVED", -2, None,
     (("PS-2", 10, 0, None, None), ("PS-3", 10, 10, -9, None))),
    ("光电开关采购（未到期，供应商承诺晚 6 天：INFO）", "PJ05", "kowalska", "ORDERED", 3, 9, (("PE-3", 10, 0, None, None),)),
    ("光纤采购（行承诺晚 2 天：INFO）", "PJ05", "kowalska", "ORDERED", 8, None, (("PE-4", 10, 0, None, 10),)),
    ("安全光幕采购（承诺日等于需求日：不预警）", "PJ05", "kowalska", "ORDERED", 6, 6, (("PE-8", 2, 0, None, None),)),
    ("备件采购（没有任何需求日，只计数：不预警）", "PJ05", "kowalska", "ORDERED", None, None, (("BR-5", 10, 0, None, None),)),
    ("联轴件采购（没有采购员，通知物料采购员，逾期 4 天：WARNING）", "PJ05", "", "ORDERED", -4, None, (("PT-6", 4, 0, None, None),)),
    ("限位块采购（供缺料工单，逾期 3 天升一级：CRITICAL）", "PJ04", "sunlei", "ORDERED", -3, None, (("ZJ-10", 2, 0, None, None),)),
    ("压头采购（开工后一天才到：不预警）", "PJ05", "sunlei", "ORDERED", 6, 6, (("ZJ-02", 4, 0, None, None),)),
    ("托盘采购（开工当日到：不预警）", "PJ05", "sunlei", "ORDERED", 5, 5, (("ZJ-03", 4, 0, None, None),)),
    ("吸盘座采购（行无承诺日，需求日在开工前一天：不预警）", "PJ05", "sunlei", "APPROVED", 9, None, (("ZJ-04", 4, 0, 3, None),)),
    ("滚轮采购（已取消，不算在途：不预警）", "PJ05", "sunlei", "CANCELLED", 1, 1, (("ZJ-05", 4, 0, None, None),)),
)
BUYERS = ("sunlei", "zhumin", "kowalska")


def populate(factory: Factory) -> None:
    """The cases, ten orders that come later, twenty that came; and a receipt for everything that came."""
    orders = [
        (title, PROJECT[project], USER[buyer] if buyer else None, status, required, promised, lines)
        for title, project, buyer, status, required, promised, lines in CASES
    ]
    for number in range(30):
        code, name, *_ = PLENTY[number * 5]
        came = number < 20
        due = -60 + 2 * number if came else 2 * number - 30
        orders.append((
            f"{name}补库", PROJECT[f"PJ{number % 6 + 1:02}"], USER[BUYERS[number % 3]], "COMPLETED" if came else "ORDERED", due, due,
            ((code, 20, 20 if came else 0, None, None),),
        ))
    factory.insert(
        "erp.purchase_orders", "id order_no order_title supplier_id project_id buyer_id status required_date promised_date",
        [(number, f"PO-{number:04}", title, number % len(SUPPLIERS) + 1, project, buyer, status, factory.date(required),
          factory.date(promised))
         for number, (title, project, buyer, status, required, promised, _) in enumerate(orders, 1)],
    )
    lines = [
        (order, material, quantity, received, due, promised, orders[order - 1][4])
        for order, (*_, own) in enumerate(orders, 1) for material, quantity, received, due, promised in own
    ]
    factory.insert(
        "erp.purchase_order_items", "id order_id material_id quantity received_qty required_date promised_date unit_price updated_at",
        [(number, order, MATERIAL[material], quantity, received, factory.date(due), factory.date(promised), 100,
          factory.instant(-3)) for number, (order, material, quantity, received, due, promised, _) in enumerate(lines, 1)],
    )
    _receipts(factory, lines)


def _receipts(factory: Factory, lines: list[tuple[int, str, int, int, int | None, int | None, int | None]]) -> None:
    received = [(number, *line) for number, line in enumerate(lines, 1) if line[3]]
    factory.insert(
        "erp.goods_receipts", "id receipt_no order_id receipt_date status",
        [(receipt, f"GR-{receipt:04}", order, factory.date(min(-1, (wanted or -1) - 1)), "RECEIVED")
         for receipt, (_, order, *_, wanted) in enumerate(received, 1)],
    )
    factory.insert(
        "erp.goods_receipt_items", "id receipt_id order_item_id received_qty qualified_qty expected_date",
        [(receipt, receipt, line, quantity, quantity, factory.date(wanted))
         for receipt, (line, _, _, _, quantity, _, _, wanted) in enumerate(received, 1)],
    )
