"""What went wrong? Issues on both sides of every threshold of the overdue and blocking alerts, and a history of solved ones."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from infra.local.demo.people import USER
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

# project, title (its case and the level it should get), type, priority, status, due
OVERDUE = (
    ("PJ06", "夹具定位偏差（到期日为今天：不预警）", "DEFECT", "MEDIUM", "OPEN", 0),
    ("PJ06", "线槽盖板缺失（明天到期：不预警）", "DEFECT", "MEDIUM", "OPEN", 1),
    ("PJ06", "气缸动作慢（逾期 1 天：INFO）", "DEFECT", "MEDIUM", "OPEN", -1),
    ("PJ06", "标签打印偏移（昨天自动解除后再犯，只发站内，逾期 2 天：INFO）", "DEVIATION", "MEDIUM", "OPEN", -2),
    ("PJ06", "传感器误触发（逾期 3 天：WARNING）", "DEFECT", "MEDIUM", "OPEN", -3),
    ("PJ06", "机架喷涂色差（预警处理中已过 24 工时应升级，逾期 6 天：WARNING）", "DEVIATION", "LOW", "OPEN", -6),
    ("PJ06", "拖链干涉（逾期 7 天：CRITICAL）", "DEFECT", "MEDIUM", "OPEN", -7),
    ("PJ06", "操作手册缺英文版（逾期 30 天，预警满 4 小时应升级：CRITICAL）", "SUGGESTION", "LOW", "OPEN", -30),
    ("PJ06", "急停回路接线不规范（处理中，预警处理未满 24 工时，逾期 4 天：WARNING）", "DEFECT", "MEDIUM", "PROCESSING", -4),
    ("PJ06", "噪声偏大（没有到期日：不预警）", "QUESTION", "MEDIUM", "OPEN", None),
    ("PJ06", "真空发生器选型（已延后，逾期 5 天：不预警）", "QUESTION", "MEDIUM", "DEFERRED", -5),
    ("PJ06", "接近开关松动（已解决，逾期 5 天：不预警）", "DEFECT", "MEDIUM", "RESOLVED", -5),
    ("PJ06", "触摸屏死机（已关闭，遗留预警应自动解除，逾期 5 天：不预警）", "DEFECT", "MEDIUM", "CLOSED", -5),
    ("PJ06", "增加备用工位（已取消，逾期 5 天：不预警）", "SUGGESTION", "MEDIUM", "CANCELLED", -5),
    ("PJ06", "重复登记（已删除，逾期 5 天：不预警）", "OTHER", "MEDIUM", "DELETED", -5),
    ("PJ06", "减速机异响（没有处理人，通知提出人和项目经理，逾期 3 天：WARNING）", "DEFECT", "MEDIUM", "OPEN", -3),
    ("PJ06", "节拍超 0.4 秒（处理人就是项目经理，只通知一次，逾期 3 天：WARNING）", "DEVIATION", "MEDIUM", "OPEN", -3),
    ("PJ06", "皮带跑偏（处理人已离职，逾期 3 天：WARNING）", "DEFECT", "MEDIUM", "OPEN", -3),
    ("PJ06", "吸盘脱落（处理人没有邮箱，逾期 7 天：CRITICAL）", "DEFECT", "MEDIUM", "OPEN", -7),
    ("PJ04", "力控参数不稳（英文用户处理，逾期 7 天：CRITICAL）", "RISK", "MEDIUM", "OPEN", -7),
    ("PJ02", "座椅靠背电流超差（URGENT，今天到期：不预警）", "DEFECT", "URGENT", "OPEN", 0),
    ("PJ02", "气囊接插件漏检（URGENT，逾期 1 天升一级：WARNING）", "DEFECT", "URGENT", "OPEN", -1),
    ("PJ02", "扭矩枪数据丢失（URGENT，逾期 3 天升一级：CRITICAL）", "DEFECT", "URGENT", "OPEN", -3),
    ("PJ02", "追溯码重复（URGENT，逾期 7 天升一级：URGENT）", "DEFECT", "URGENT", "PROCESSING", -7),
    ("PJ02", "检具重复精度不足（HIGH，逾期 2 天：INFO）", "DEVIATION", "HIGH", "OPEN", -2),
    ("PJ02", "滑轨异响判定分歧（HIGH，逾期 5 天：WARNING）", "QUESTION", "HIGH", "OPEN", -5),
    ("PJ06", "螺栓扭矩未记录（预警已忽略而静默，逾期 4 天：WARNING）", "DEFECT", "MEDIUM", "OPEN", -4),
    ("PJ06", "门限位开关损坏（忽略时为 INFO，逾期 3 天又升高：WARNING）", "DEFECT", "MEDIUM", "OPEN", -3),
    (None, "车间照度不足（没有项目，逾期 3 天：WARNING）", "SUGGESTION", "MEDIUM", "OPEN", -3),
)
ISSUE = {case[1].split("（")[0]: number for number, case in enumerate(OVERDUE, 1)}
SPECIAL = {"没有处理人": None, "处理人就是项目经理": "liqiang", "处理人已离职": "fangting", "处理人没有邮箱": "yuanbin", "英文用户": "weber"}
# project, title (the level at 09:05, when the job rings), type, flagged as blocking, status, raised on, at
BLOCKING = (
    ("PJ01", "模组堆叠机撞机（昨天 20:00 提出，阻塞 13 小时：WARNING）", "DEFECT", True, "OPEN", -1, "20:00"),
    ("PJ01", "激光焊烟尘超标（阻塞差 1 分钟满 24 小时：WARNING）", "RISK", True, "OPEN", -1, "09:06"),
    ("PJ01", "绝缘测试仪无通讯（阻塞满 24 小时：CRITICAL）", "DEFECT", True, "PROCESSING", -1, "09:05"),
    ("PJ01", "端板来料尺寸不符（阻塞差 1 分钟满 72 小时：CRITICAL）", "DEVIATION", True, "OPEN", -3, "09:06"),
    ("PJ01", "客户现场无压缩空气（阻塞满 72 小时：URGENT）", "RISK", True, "OPEN", -3, "09:05"),
    ("PJ01", "机器人控制柜故障（BLOCKER 类型未打标记，阻塞 10 天，预警满 4 小时应再次上报：URGENT）", "BLOCKER", False, "OPEN", -10, "10:00"),
    ("PJ01", "视觉标定失败（阻塞已解决：不预警）", "DEFECT", True, "RESOLVED", -4, "10:00"),
    ("PJ01", "二维码规则待定（阻塞已延后：不预警）", "QUESTION", True, "DEFERRED", -4, "10:00"),
    ("PJ23", "焊带断裂（阻塞已关闭，项目恢复正常：不预警）", "BLOCKER", True, "CLOSED", -9, "10:00"),
    ("PJ19", "极耳毛刺（项目已结案，仍阻塞 10 天：URGENT）", "BLOCKER", True, "OPEN", -10, "10:00"),
    (None, "空压站跳闸（没有项目，通知处理人和提出人，阻塞 13 小时：WARNING）", "DEFECT", True, "OPEN", -1, "20:00"),
)
ISSUE |= {case[1].split("（")[0]: number for number, case in enumerate(BLOCKING, len(OVERDUE) + 1)}
SOLVED = (
    "导轨润滑不良", "编码器零点漂移", "线缆标识错误", "光电开关选型错误", "接地不良", "变频器参数丢失", "螺钉漏拧", "送料卡料", "压力表量程不符",
    "同步带张力不足", "轴承温升高", "相机曝光过度", "程序版本混乱", "门锁信号抖动", "真空泄漏", "料仓容量不足", "机械手碰撞", "气管老化", "指示灯不亮",
    "扫码失败率高", "油漆起泡", "焊缝气孔", "装配干涉", "包装破损",
)
ENGINEERS = ("liuyang", "sunyue", "huanglei", "machao", "liangwei", "zhenghao")
LOOKED_AT = (-1, "18:00")
COLUMNS = (
    "id issue_no title issue_type severity priority status project_id is_blocking reporter_id assignee_id due_date "
    "created_at resolved_at closed_at last_follow_up_at"
)


def populate(factory: Factory) -> None:
    """Overdue cases, blocking cases, then the solved ones of the last three months."""
    rows: list[tuple[object, ...]] = []
    for key, title, kind, priority, status, due in OVERDUE:
        raised = factory.instant(min(due or 0, 0) - 10)
        solved = factory.instant(-2, "16:30") if status in ("RESOLVED", "CLOSED") else None
        rows.append((
            title, kind, "MAJOR" if priority in ("HIGH", "URGENT") else "MINOR", priority, status, PROJECT[key] if key else None,
            False, USER["songjia"], _assignee(title, len(rows)), factory.date(due), raised, solved,
            solved if status == "CLOSED" else None, factory.instant(*LOOKED_AT),
        ))
    for key, title, kind, flagged, status, on, at in BLOCKING:
        solved = factory.instant(-1, "17:00") if status in ("RESOLVED", "CLOSED") else None
        rows.append((
            title, kind, "CRITICAL", "MEDIUM", status, PROJECT[key] if key else None, flagged, USER["liangwei"],
            USER[ENGINEERS[len(rows) % 6]], None, factory.instant(on, at), solved, solved if status == "CLOSED" else None, factory.instant(*LOOKED_AT),
        ))
    for number, title in enumerate(SOLVED):
        closed = factory.instant(-5 - 3 * number, "15:00")
        rows.append((
            title, "DEFECT", "MINOR", "MEDIUM", "CLOSED", PROJECT[f"PJ{number % 6 + 1:02}"], False, USER["songjia"],
            USER[ENGINEERS[number % 6]], factory.date(-4 - 3 * number), factory.instant(-11 - 3 * number), closed, closed, closed,
        ))
    factory.insert("erp.issues", COLUMNS, [(number, f"IS-{number:04}", *row) for number, row in enumerate(rows, 1)])
    # Last evening everybody went through these and set their priorities, so that the night moves none of them.
    factory.insert(
        "belfry.issue_escalations", "issue_id priority priority_changed_at",
        [(number, row[3], factory.instant(*LOOKED_AT)) for number, row in enumerate(rows, 1) if row[4] in ("OPEN", "PROCESSING")],
    )


def _assignee(title: str, number: int) -> int | None:
    for case, name in SPECIAL.items():
        if case in title:
            return USER[name] if name else None
    return USER[ENGINEERS[number % 6]]
