"""Which issues does nobody move? Both sides of every threshold of the two escalation jobs of the night, at 01:00 and 01:30."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from datetime import datetime

from infra.local.demo.people import USER
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

FIRST = 1001
When = tuple[int, str]
RECENT: When = (-1, "18:00")
NEVER = None
# project, title (its case, and what the issue is after the night), priority, status, raised, last follow-up, when it got
# its priority (none: raised with it), last automatic step, tier so far
CASES: tuple[tuple[str | None, str, str, str, When, When | None, When | None, When | None, int], ...] = (
    ("PJ03", "串焊头定位销松动（满 7 天整无跟进→MEDIUM）", "MEDIUM", "OPEN", (-20, "09:00"), (-7, "01:00"), RECENT, NEVER, 0),
    ("PJ03", "助焊剂喷嘴堵塞（7 天零 1 分钟无跟进→HIGH）", "MEDIUM", "OPEN", (-20, "09:00"), (-7, "00:59"), RECENT, NEVER, 0),
    ("PJ03", "铭牌位置待定（从未跟进，提出 8 天→MEDIUM）", "LOW", "OPEN", (-8, "10:00"), NEVER, NEVER, NEVER, 0),
    ("PJ03", "汇流带翘曲（昨天才提出，从未跟进→MEDIUM）", "MEDIUM", "OPEN", (-1, "10:00"), NEVER, NEVER, NEVER, 0),
    ("PJ03", "红外灯管寿命不足（无跟进 9 天，升到最高并预警→URGENT）", "HIGH", "OPEN", (-9, "10:00"), NEVER, RECENT, NEVER, 0),
    ("PJ02", "扭矩传感器漂移（紧急且无跟进 9 天，移交处理人的上级→URGENT 1）", "URGENT", "PROCESSING", (-9, "10:00"), NEVER, RECENT, NEVER, 0),
    ("PJ02", "读码器误读（紧急，8 天前已移交上级，现移交项目经理→URGENT 2）", "URGENT", "OPEN", (-30, "10:00"), (-20, "10:00"), (-19, "10:00"), (-8, "01:00"), 1),
    ("PJ02", "伺服过载报警（紧急，8 天前已移交项目经理，现移交 PMO→URGENT 3）", "URGENT", "OPEN", (-40, "10:00"), (-30, "10:00"), (-19, "10:00"), (-8, "01:00"), 2),
    ("PJ02", "安全门互锁失效（紧急，已在 PMO，不再移交→URGENT 3）", "URGENT", "OPEN", (-50, "10:00"), (-40, "10:00"), (-19, "10:00"), (-8, "01:00"), 3),
    ("PJ03", "线体噪声超标（6 天 23 小时前自动升级过→MEDIUM）", "MEDIUM", "OPEN", (-30, "10:00"), NEVER, (-7, "02:00"), (-7, "02:00"), 0),
    ("PJ03", "载板变形（7 天整前自动升级过→HIGH）", "MEDIUM", "OPEN", (-30, "10:00"), NEVER, (-7, "01:00"), (-7, "01:00"), 0),
    ("PJ03", "备件清单未确认（没有处理人，只告知项目经理→HIGH）", "MEDIUM", "OPEN", (-9, "10:00"), NEVER, RECENT, NEVER, 0),
    (None, "仓库叉车通道被占（没有项目→HIGH）", "MEDIUM", "OPEN", (-9, "10:00"), NEVER, RECENT, NEVER, 0),
    ("PJ03", "客户要求改色（已延后→LOW）", "LOW", "DEFERRED", (-60, "10:00"), NEVER, NEVER, NEVER, 0),
    ("PJ03", "重复的漏气问题（已解决→LOW）", "LOW", "RESOLVED", (-60, "10:00"), (-5, "10:00"), NEVER, NEVER, 0),
    ("PJ24", "旧线电柜标识（项目已归档→LOW）", "LOW", "OPEN", (-60, "10:00"), NEVER, NEVER, NEVER, 0),
    ("PJ02", "座椅托盘磨损（中级满 7 天整→MEDIUM）", "MEDIUM", "OPEN", (-7, "01:30"), (-1, "16:00"), NEVER, NEVER, 0),
    ("PJ02", "按钮盒指示灯色差（中级 7 天零 1 分钟→HIGH）", "MEDIUM", "OPEN", (-7, "01:29"), (-1, "16:00"), NEVER, NEVER, 0),
    ("PJ02", "工位照明不足（低级满 14 天整→LOW）", "LOW", "OPEN", (-14, "01:30"), (-1, "16:00"), NEVER, NEVER, 0),
    ("PJ02", "作业指导书版本旧（低级 14 天零 1 分钟→MEDIUM）", "LOW", "OPEN", (-14, "01:29"), (-1, "16:00"), NEVER, NEVER, 0),
    ("PJ02", "气囊点火电阻超差（高级满 3 天整→HIGH）", "HIGH", "OPEN", (-3, "01:30"), (-1, "16:00"), NEVER, NEVER, 0),
    ("PJ02", "滑台抱闸失灵（高级 3 天零 1 分钟，升到最高并预警→URGENT）", "HIGH", "PROCESSING", (-3, "01:29"), (-1, "16:00"), NEVER, NEVER, 0),
    ("PJ02", "总线通讯中断（紧急满 1 天整→URGENT）", "URGENT", "OPEN", (-1, "01:30"), (-1, "16:00"), NEVER, NEVER, 0),
    ("PJ02", "急停不复位（紧急 1 天零 1 分钟，移交处理人的上级→URGENT 1）", "URGENT", "OPEN", (-1, "01:29"), (-1, "16:00"), NEVER, NEVER, 0),
    ("PJ02", "检测数据丢失（紧急，昨夜已移交上级，今夜移交项目经理→URGENT 2）", "URGENT", "OPEN", (-9, "10:00"), (-1, "16:00"), (-4, "10:00"), (-1, "01:30"), 1),
    ("PJ02", "机械手夹爪松脱（高级 9 天，昨天 10:00 人工调整过，重新计时→HIGH）", "HIGH", "OPEN", (-9, "10:00"), (-1, "16:00"), (-1, "10:00"), NEVER, 0),
    ("PJ03", "焊带对位偏移（两个任务都到期，一夜只升一级→HIGH）", "MEDIUM", "OPEN", (-30, "10:00"), NEVER, NEVER, NEVER, 0),
)
ENGINEERS = ("liuyang", "sunyue", "huanglei", "zhenghao")
COLUMNS = (
    "id issue_no title issue_type severity priority status project_id is_blocking reporter_id assignee_id created_at "
    "resolved_at last_follow_up_at"
)


def populate(factory: Factory) -> None:
    """The cases, what Belfry remembers of them, and that every other open issue was set to its priority yesterday."""

    def moment(when: When | None) -> datetime | None:
        return factory.instant(*when) if when else None

    factory.insert(
        "erp.issues", COLUMNS,
        [
            (number, f"IS-{number}", title, "DEVIATION", "MINOR", priority, status, PROJECT[key] if key else None, False,
             USER["songjia"], None if "没有处理人" in title else USER[ENGINEERS[number % 4]], moment(raised),
             moment(touched) if status == "RESOLVED" else None, moment(touched))
            for number, (key, title, priority, status, raised, touched, *_) in enumerate(CASES, FIRST)
        ],
    )
    factory.insert(
        "belfry.issue_escalations", "issue_id priority priority_changed_at last_auto_escalated_at escalation_tier",
        [
            (number, priority, moment(since), moment(last), tier)
            for number, (_, _, priority, _, _, _, since, last, tier) in enumerate(CASES, FIRST) if since or last
        ],
    )
