"""What is made elsewhere? Outsourcing orders on both sides of every threshold of their alert."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from infra.local.demo.materials import SUPPLIERS
from infra.local.demo.people import USER
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

# title (its case and the level it should get), project, buyer, status, required, estimated, delivered
CASES: tuple[tuple[str, str | None, str, str, int | None, int | None, int | None], ...] = (
    ("机架喷涂（4 天后到期：不预警）", "PJ01", "sunlei", "IN_PROGRESS", 4, 4, None),
    ("护罩折弯（3 天后到期：WARNING）", "PJ01", "sunlei", "IN_PROGRESS", 3, 3, None),
    ("支架镀锌（今天到期：WARNING）", "PJ01", "sunlei", "CONFIRMED", 0, None, None),
    ("底板铣面（逾期 1 天：CRITICAL）", "PJ02", "zhumin", "IN_PROGRESS", -1, 2, None),
    ("立板热处理（逾期 7 天：CRITICAL）", "PJ02", "zhumin", "IN_PROGRESS", -7, 1, None),
    ("导向板磨削（逾期 8 天：URGENT）", "PJ02", "zhumin", "IN_PROGRESS", -8, None, None),
    ("齿轮渗碳（逾期 30 天：URGENT）", "PJ03", "kowalska", "CONFIRMED", -30, None, None),
    ("电柜钣金（20 天后到期，外协商预计晚 1 天：WARNING）", "PJ03", "kowalska", "IN_PROGRESS", 20, 21, None),
    ("线槽切割（20 天后到期，外协商预计当天：不预警）", "PJ03", "kowalska", "IN_PROGRESS", 20, 20, None),
    ("压板发黑（没有要求交期，只计数：不预警）", "PJ03", "kowalska", "CONFIRMED", None, 5, None),
    ("连接轴车削（已送达未检验，逾期 5 天：不预警）", "PJ04", "zhumin", "DELIVERED", -5, None, -1),
    ("轴承座镗孔（已检验：不预警）", "PJ04", "zhumin", "INSPECTED", -5, None, -2),
    ("观察窗框焊接（已完成：不预警）", "PJ04", "zhumin", "COMPLETED", -9, None, -6),
    ("托盘注塑（已取消，逾期 9 天：不预警）", "PJ04", "zhumin", "CANCELLED", -9, None, None),
    ("定位块线切割（草稿，逾期 9 天：不预警）", "PJ04", "zhumin", "DRAFT", -9, None, None),
    ("支座铸造（昨天已送达而订单仍在加工，数据缺陷：不预警）", "PJ05", "sunlei", "IN_PROGRESS", -4, None, -1),
    ("极耳模具维修（项目已结案，逾期 9 天：不预警）", "PJ19", "sunlei", "IN_PROGRESS", -9, None, None),
    ("刀具刃磨（不属于任何项目，逾期 2 天：CRITICAL）", None, "kowalska", "IN_PROGRESS", -2, None, None),
)


def populate(factory: Factory) -> None:
    """The cases, one order each."""
    factory.insert(
        "erp.outsourcing_orders",
        "id order_no order_title vendor_id project_id buyer_id status required_date estimated_date actual_date",
        [(number, f"OS-{number:04}", title, number % len(SUPPLIERS) + 1, PROJECT[project] if project else None, USER[buyer],
          status, factory.date(required), factory.date(estimated), factory.date(delivered))
         for number, (title, project, buyer, status, required, estimated, delivered) in enumerate(CASES, 1)],
    )
