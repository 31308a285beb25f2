"""What is due when? Milestones on both sides of every threshold of the milestone alert, and the ones long done."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from infra.local.demo.people import USER
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

OWNERS = ("gaoxiang", "liuyang", "sunyue", "huanglei")
# project, name (its case and the level it should get), key, planned, status, remind days before (None: 3), done on
CASES = (
    ("PJ03", "厂内预验收（关键，逾期 1 天：CRITICAL）", True, -1, "PENDING", None, None),
    ("PJ03", "外协件齐套（逾期 1 天：WARNING）", False, -1, "PENDING", None, None),
    ("PJ03", "设备装箱（关键，逾期 7 天，预警差 1 分钟满 4 小时：CRITICAL）", True, -7, "IN_PROGRESS", None, None),
    ("PJ03", "随机资料（逾期 7 天：WARNING）", False, -7, "PENDING", None, None),
    ("PJ03", "节拍验证（关键，逾期 8 天：URGENT）", True, -8, "PENDING", None, None),
    ("PJ03", "备件清单（逾期 8 天：CRITICAL）", False, -8, "PENDING", None, None),
    ("PJ03", "整线联调（关键，已标延期 20 天，预警满 2 小时应上报：URGENT）", True, -20, "DELAYED", None, None),
    ("PJ06", "机架焊接完成（关键，今天到期：WARNING）", True, 0, "PENDING", None, None),
    ("PJ06", "铭牌确认（今天到期：INFO）", False, 0, "PENDING", None, None),
    ("PJ06", "电柜装配完成（关键，3 天后到期：WARNING）", True, 3, "PENDING", None, None),
    ("PJ06", "护罩到货（3 天后到期：INFO）", False, 3, "PENDING", None, None),
    ("PJ06", "首台空载运行（关键，4 天后到期：不预警）", True, 4, "PENDING", None, None),
    ("PJ06", "喷涂完成（4 天后到期：不预警）", False, 4, "PENDING", None, None),
    ("PJ06", "客户技术交底（关键，提前 7 天提醒，7 天后到期：WARNING）", True, 7, "PENDING", 7, None),
    ("PJ06", "出厂评审（关键，提前 7 天提醒，8 天后到期：不预警）", True, 8, "PENDING", 7, None),
    ("PJ06", "气路图定版（关键，当天提醒，今天到期：WARNING）", True, 0, "PENDING", 0, None),
    ("PJ06", "标签打印（当天提醒，1 天后到期：不预警）", False, 1, "PENDING", 0, None),
    ("PJ06", "安全评估（关键，进行中，2 天后到期：WARNING）", True, 2, "IN_PROGRESS", None, None),
    ("PJ06", "图纸下发（已完成，逾期 3 天：不预警）", True, -3, "COMPLETED", None, -4),
    ("PJ06", "二期方案（已取消，逾期 3 天：不预警）", True, -3, "CANCELLED", None, None),
    ("PJ06", "底座机加（已有实际完成日但状态未改，数据缺陷：不预警）", False, -2, "PENDING", None, -2),
    ("PJ06", "技术协议补充（没有负责人，通知项目经理，1 天后到期：INFO）", False, 1, "PENDING", None, None),
    ("PJ06", "长周期件到货（9 天后到期，提前 14 天提醒，预警满 24 工时应升级：INFO）", False, 9, "PENDING", 14, None),
    ("PJ06", "控制软件冻结（10 天后到期，提前 14 天提醒，预警差 1 分钟满 24 工时：INFO）", False, 10, "PENDING", 14, None),
    ("PJ06", "客户派驻培训（关键，9 天后到期，提前 14 天提醒，预警满 8 工时应升级：WARNING）", True, 9, "PENDING", 14, None),
    ("PJ06", "厂房基础交付（关键，11 天后到期，提前 14 天提醒，预警差 1 分钟满 8 工时：WARNING）", True, 11, "PENDING", 14, None),
    ("PJ06", "电网增容（关键，12 天后到期，提前 14 天提醒，确认后差 1 分钟满 16 工时：WARNING）", True, 12, "PENDING", 14, None),
    ("PJ06", "运输方案确认（关键，13 天后到期，提前 14 天提醒，确认后满 16 工时应升级：WARNING）", True, 13, "PENDING", 14, None),
    ("PJ19", "质保期检查（项目已结案，逾期 5 天：不预警）", False, -5, "PENDING", None, None),
    ("PJ20", "二次报价（项目已取消，逾期 5 天：不预警）", False, -5, "PENDING", None, None),
    ("PJ24", "旧线拆除（项目已归档，逾期 5 天：不预警）", False, -5, "PENDING", None, None),
    ("PJ25", "样机试制（项目已停用，逾期 5 天：不预警）", False, -5, "PENDING", None, None),
)
MILESTONE = {case[1].split("（")[0]: number for number, case in enumerate(CASES, 1)}
DONE = ("合同签订", "方案评审", "图纸会签")


def populate(factory: Factory) -> None:
    """The cases first, so that their ids are known, then what each busy project has behind it."""
    columns = "id project_id milestone_code milestone_name planned_date actual_date status is_key reminder_days owner_id"
    rows: list[tuple[object, ...]] = [
        (number, PROJECT[key], f"{key}-MS{number:02}", name, factory.date(planned), factory.date(done), status, is_key, remind,
         None if "没有负责人" in name else USER[OWNERS[number % 4]])
        for number, (key, name, is_key, planned, status, remind, done) in enumerate(CASES, 1)
    ]
    behind = [(key, name, -25 + 5 * step) for key in list(PROJECT)[:6] for step, name in enumerate(DONE)]
    rows += [
        (len(CASES) + number, PROJECT[key], f"{key}-MS{len(CASES) + number:02}", name, factory.date(offset),
         factory.date(offset - 1), "COMPLETED", True, None, USER[OWNERS[number % 4]])
        for number, (key, name, offset) in enumerate(behind, 1)
    ]
    factory.insert("erp.project_milestones", columns, rows)
