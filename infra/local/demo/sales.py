"""What is being sold? Leads, opportunities, quotes, approvals and presale tickets on both sides of every threshold of their reminders."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from infra.local.demo.people import USER
from infra.local.demo.projects import CUSTOMERS
from infra.local.demo.receivables import CONTRACT
from infra.local.demo.rows import Factory

# its case and the reminder it should get, status, gate submitted, owner
LEADS: tuple[tuple[str, str, int | None, str], ...] = (
    ("阶段门待审 2 天：不提醒", "QUALIFYING", -2, "jialei"), ("阶段门待审 3 天：WARNING", "QUALIFYING", -3, "jialei"),
    ("阶段门待审 7 天，告知销售经理：WARNING", "QUALIFYING", -7, "jialei"), ("没有负责人，待审 4 天：WARNING", "QUALIFYING", -4, ""),
    ("新线索：不提醒", "NEW", None, "jialei"), ("已转商机，曾提交 9 天：不提醒", "CONVERTED", -9, "jialei"),
)
# name (its case and the stage reminder it should get), stage, days in it, owner, amount
STAGES: tuple[tuple[str, str, int, str, int | None], ...] = (
    ("电池盒气密线（发现 14 天：不提醒）", "DISCOVERY", 14, "jialei", 1200000), ("电池盒焊装线（发现 15 天：INFO）", "DISCOVERY", 15, "jialei", 2100000),
    ("座椅检测二期（立项 7 天：不提醒）", "QUALIFIED", 7, "jialei", 1800000), ("座椅装配二期（立项 8 天：INFO）", "QUALIFIED", 8, "jialei", 900000),
    ("光伏叠焊机（立项 11 天，超 1.5 倍：WARNING）", "QUALIFIED", 11, "jialei", 2600000),
    ("中框去毛刺单元（报价 10 天：不提醒）", "PROPOSAL", 10, "caiming", 700000), ("中框抛光单元（报价 11 天：INFO）", "PROPOSAL", 11, "caiming", 650000),
    ("中框清洗单元（报价 15 天，正好 1.5 倍：INFO）", "PROPOSAL", 15, "caiming", 480000), ("中框检测单元（报价 16 天：WARNING）", "PROPOSAL", 16, "caiming", 520000),
    ("注射器包装线（谈判 14 天：不提醒）", "NEGOTIATION", 14, "jialei", 3100000), ("注射器灌装线（谈判 29 天，超两倍，告知销售经理：WARNING）", "NEGOTIATION", 29, "jialei", 4200000),
    ("空压机试验台（没有负责人，谈判 15 天：INFO）", "NEGOTIATION", 15, "", None), ("汇流排折弯机（已赢单 90 天：不提醒）", "WON", 90, "jialei", 1000000),
    ("遮阳板二期（已丢单 90 天：不提醒）", "LOST", 90, "jialei", 400000), ("旧线改造（暂停 90 天：不提醒）", "ON_HOLD", 90, "jialei", 300000),
)
# opportunity (number in STAGES), gate, status, submitted: its reminder is told of in GATE_CASES
GATES: dict[int, tuple[str, str, int]] = {3: ("G2", "PENDING", -3), 6: ("G3", "PENDING", -2), 10: ("G3", "PASS", -9), 14: ("G2", "PENDING", -9)}
GATE_CASES = {3: "WARNING"}  # two days are too few, passed is decided, a lost one needs no gate
# its case and the reminder it should get, opportunity, status, valid until, owner
QUOTES: tuple[tuple[str, int, str, int | None, str], ...] = (
    ("8 天后失效：不提醒", 1, "SENT", 8, "jialei"), ("7 天后失效：INFO", 2, "SENT", 7, "jialei"), ("4 天后失效，属 7 天一档：INFO", 3, "IN_REVIEW", 4, "jialei"),
    ("3 天后失效：WARNING", 4, "SENT", 3, "jialei"), ("1 天后失效：URGENT", 5, "SENT", 1, "jialei"), ("今天失效：URGENT", 6, "SENT", 0, "caiming"),
    ("已失效 1 天：WARNING", 7, "SENT", -1, "caiming"), ("已失效 30 天：WARNING", 8, "IN_REVIEW", -30, "caiming"), ("已失效 31 天：不提醒", 9, "SENT", -31, "caiming"),
    ("草稿，1 天后失效：不提醒", 10, "DRAFT", 1, "jialei"), ("已标失效：不提醒", 11, "EXPIRED", -5, "jialei"), ("没有负责人，通知销售经理，1 天后失效：URGENT", 12, "SENT", 1, ""),
    ("没有有效期：不提醒", 1, "SENT", None, "jialei"),
)
# step (its case and the reminder it should get), what, which, approver, role, status, since (day, clock), due hours
APPROVALS: tuple[tuple[str, str, int, str, str | None, str, tuple[int, str], int | None], ...] = (
    ("商务审批（差 1 分钟满 24 小时：不提醒）", "QUOTE", 3, "caiming", None, "PENDING", (-1, "09:01"), None),
    ("价格审批（满 24 小时：INFO）", "QUOTE", 3, "caiming", None, "PENDING", (-1, "09:00"), None),
    ("法务审批（满 48 小时：WARNING）", "CONTRACT", CONTRACT["HT-12"], "linguodong", None, "PENDING", (-2, "09:00"), None),
    ("财务审批（没有审批人，通知角色，满 30 小时：INFO）", "CONTRACT", CONTRACT["HT-12"], "", "FIN", "PENDING", (-1, "03:00"), None),
    ("加急审批（限 8 小时，已 12 小时：INFO）", "QUOTE", 8, "caiming", None, "PENDING", (-1, "21:00"), 8),
    ("总经理审批（限 72 小时，已 48 小时：不提醒）", "QUOTE", 8, "linguodong", None, "PENDING", (-2, "09:00"), 72),
    ("技术审批（已通过：不提醒）", "QUOTE", 4, "gaoxiang", None, "APPROVED", (-9, "09:00"), None),
)
# title (its case and the reminder it should get), type, urgency, status, age, deadline, assignee
TICKETS: tuple[tuple[str, str, str, str, int, int | None, str], ...] = (
    ("节拍咨询（3 天：不提醒）", "CONSULT", "NORMAL", "ACCEPTED", 3, None, "dingning"), ("精度咨询（4 天：INFO）", "CONSULT", "NORMAL", "ACCEPTED", 4, None, "dingning"),
    ("选型咨询（5 天，超 1.5 倍：WARNING）", "CONSULT", "NORMAL", "PROCESSING", 5, None, "dingning"), ("报价支持（5 天：不提醒）", "QUOTATION", "NORMAL", "PROCESSING", 5, None, "jiangxue"),
    ("报价核算（6 天：INFO）", "QUOTATION", "NORMAL", "PROCESSING", 6, None, "jiangxue"), ("方案设计（7 天：不提醒）", "SOLUTION", "NORMAL", "PROCESSING", 7, None, "jiangxue"),
    ("方案深化（8 天：INFO）", "SOLUTION", "NORMAL", "PROCESSING", 8, None, "jiangxue"), ("投标文件（10 天：不提醒）", "TENDER", "NORMAL", "PROCESSING", 10, None, "dingning"),
    ("投标答疑（11 天：INFO）", "TENDER", "NORMAL", "PROCESSING", 11, None, "dingning"), ("投标述标（21 天，超两倍，告知上级：WARNING）", "TENDER", "NORMAL", "PROCESSING", 21, None, "dingning"),
    ("紧急投标（紧急折半，5 天：不提醒）", "TENDER", "URGENT", "PROCESSING", 5, None, "dingning"), ("加急投标（紧急折半，6 天：INFO）", "TENDER", "URGENT", "PROCESSING", 6, None, "dingning"),
    ("特急咨询（最短一天，2 天，超 1.5 倍：WARNING）", "CONSULT", "VERY_URGENT", "ACCEPTED", 2, None, "dingning"),
    ("现场调研（要求明天完成：不提醒）", "SURVEY", "NORMAL", "PROCESSING", 9, 1, "jiangxue"), ("参观接待（要求昨天完成，提出 9 天：INFO）", "SITE_VISIT", "NORMAL", "PROCESSING", 9, -1, "jiangxue"),
    ("技术交流（1 天无人接单：INFO）", "MEETING", "NORMAL", "PENDING", 1, None, ""), ("样件试做（没有处理人，通知提出人，6 天：INFO）", "OTHER", "NORMAL", "PROCESSING", 6, None, ""),
    ("方案评审（评审中 30 天：不提醒）", "SOLUTION", "NORMAL", "REVIEW", 30, None, "jiangxue"), ("旧方案（已完成：不提醒）", "SOLUTION", "NORMAL", "COMPLETED", 30, None, "jiangxue"),
    ("撤回的咨询（已取消：不提醒）", "CONSULT", "NORMAL", "CANCELLED", 30, None, "dingning"),
)


def populate(factory: Factory) -> None:
    """Leads, opportunities with their gates, quotes, approvals and presale tickets."""
    factory.insert(
        "erp.leads", "id lead_code status owner_id gate_submitted_at updated_at",
        [(number, f"LD-{number:04}（{case}）", status, USER[owner] if owner else None,
          None if submitted is None else factory.instant(submitted, "14:00"), factory.instant(-1))
         for number, (case, status, submitted, owner) in enumerate(LEADS, 1)],
    )
    factory.insert(
        "erp.opportunities", "id opp_code opp_name customer_id stage stage_entered_at gate_code gate_status gate_submitted_at owner_id est_amount",
        [(number, f"OP-{number:04}", name, number % len(CUSTOMERS) + 1, stage, factory.instant(-days, "14:00"), *_gate(factory, number),
          USER[owner] if owner else None, amount)
         for number, (name, stage, days, owner, amount) in enumerate(STAGES, 1)],
    )
    factory.insert(
        "erp.quotes", "id quote_code opportunity_id status valid_until owner_id",
        [(number, f"QT-{number:04}（{case}）", opportunity, status, factory.date(until), USER[owner] if owner else None)
         for number, (case, opportunity, status, until, owner) in enumerate(QUOTES, 1)],
    )
    factory.insert(
        "erp.approval_records", "id entity_type entity_id step_name approver_id approver_role status step_started_at due_hours",
        [(number, what, which, step, USER[approver] if approver else None, role, status, factory.instant(*since), due)
         for number, (step, what, which, approver, role, status, since, due) in enumerate(APPROVALS, 1)],
    )
    factory.insert(
        "erp.presale_tickets", "id ticket_no title ticket_type urgency status applicant_id assignee_id created_at deadline",
        [(number, f"PS-{number:04}", title, kind, urgency, status, USER["jialei"], USER[assignee] if assignee else None,
          factory.instant(-age, "14:00"), None if deadline is None else factory.date(deadline))
         for number, (title, kind, urgency, status, age, deadline, assignee) in enumerate(TICKETS, 1)],
    )


def _gate(factory: Factory, number: int) -> tuple[object, ...]:
    if number not in GATES:
        return None, None, None
    gate, status, submitted = GATES[number]
    return gate, status, factory.instant(submitted, "14:00")
