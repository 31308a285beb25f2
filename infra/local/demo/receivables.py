"""Who still owes what? Contracts, planned payments and invoices on both sides of every threshold of their reminders and alerts."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from infra.local.demo.milestones import MILESTONE
from infra.local.demo.people import USER
from infra.local.demo.projects import PROJECT, PROJECTS
from infra.local.demo.rows import Factory, numbered

# code, its case and the reminder it should get (""  for one that is just there), project, owner, amount, status, delivery deadline
CONTRACTS: tuple[tuple[str, str, str, str, int, str, int | None], ...] = (
    ("HT-01", "", "PJ01", "jialei", 8600000, "ACTIVE", 75),
    ("HT-02", "", "PJ02", "jialei", 5200000, "ACTIVE", 110),
    ("HT-03", "30 天后交付：INFO", "PJ03", "caiming", 3900000, "ACTIVE", 30),
    ("HT-04", "31 天后交付：不提醒", "PJ04", "caiming", 2800000, "SIGNED", 31),
    ("HT-05", "16 天后交付，属 30 天一档：INFO", "PJ05", "jialei", 3300000, "SIGNED", 16),
    ("HT-06", "15 天后交付：WARNING", "PJ06", "jialei", 6100000, "ACTIVE", 15),
    ("HT-07", "7 天后交付：URGENT", "PJ07", "jialei", 1500000, "ACTIVE", 7),
    ("HT-08", "8 天后交付，属 15 天一档：WARNING", "PJ08", "jialei", 1200000, "ACTIVE", 8),
    ("HT-09", "昨天应交付，已归里程碑预警：不提醒", "PJ09", "jialei", 1000000, "ACTIVE", -1),
    ("HT-10", "没有负责人，通知销售经理，7 天后交付：URGENT", "PJ10", "", 1000000, "ACTIVE", 7),
    ("HT-11", "已结束，7 天后交付：不提醒", "PJ11", "jialei", 1000000, "CLOSED", 7),
    ("HT-12", "草稿，7 天后交付：不提醒", "PJ12", "jialei", 700000, "DRAFT", 7),
    ("HT-13", "项目已结案，7 天后交付：不提醒", "PJ19", "jialei", 640000, "ACTIVE", 7),
    ("HT-14", "没有项目，今天交付：URGENT", "", "caiming", 90000, "ACTIVE", 0),
)
CONTRACT = numbered(contract[0] for contract in CONTRACTS)
DONE, OPEN = "图纸下发", "首台空载运行"  # a milestone that is reached, and one that is not
# contract, name (its case and the reminder it should get), amount, received, planned, status, milestone
PAYMENTS: tuple[tuple[str, str, int, int, int | None, str, str], ...] = (
    ("HT-01", "预付款（已收齐：不提醒）", 2580000, 2580000, -80, "COMPLETED", ""),
    ("HT-01", "到货款（8 天后：不提醒）", 2580000, 0, 8, "PENDING", OPEN),
    ("HT-01", "调试款（7 天后，里程碑未达成：INFO）", 860000, 0, 7, "PENDING", OPEN),
    ("HT-02", "到货款（4 天后，属 7 天一档：INFO）", 1560000, 0, 4, "INVOICED", ""),
    ("HT-02", "进度款（3 天后，里程碑已达成，抄送财务：WARNING）", 520000, 100000, 3, "PARTIAL", DONE),
    ("HT-03", "验收款（1 天后：WARNING）", 1170000, 0, 1, "INVOICED", ""),
    ("HT-03", "备件款（今天：URGENT）", 90000, 0, 0, "PENDING", ""),
    ("HT-04", "到货款（2 天后，已取消：不提醒）", 840000, 0, 2, "CANCELLED", ""),
    ("HT-04", "预付款（今天，已付清而计划未关，数据缺陷：不提醒）", 840000, 840000, 0, "PENDING", ""),
    ("HT-10", "预付款（没有合同负责人，通知项目经理，7 天后：INFO）", 300000, 0, 7, "PENDING", ""),
    ("HT-13", "质保金（项目已结案，今天：不提醒）", 32000, 0, 0, "PENDING", ""),
    ("HT-05", "预付款（没有计划日期，只计数：不提醒）", 990000, 0, None, "PENDING", ""),
    ("HT-05", "设计款（逾期 6 天：不提醒）", 330000, 0, -6, "PENDING", ""),
    ("HT-05", "采购款（逾期 7 天：INFO）", 330000, 0, -7, "PENDING", ""),
    ("HT-06", "预付款（逾期 14 天，属 7 天一档：INFO）", 1830000, 1000000, -14, "PARTIAL", ""),
    ("HT-06", "设计款（逾期 15 天：WARNING）", 610000, 0, -15, "INVOICED", ""),
    ("HT-07", "到货款（逾期 59 天，属 30 天一档：WARNING）", 450000, 0, -59, "INVOICED", DONE),
    ("HT-07", "验收款（逾期 60 天：URGENT）", 450000, 0, -60, "INVOICED", ""),
    ("HT-08", "到货款（逾期 100 天，属 90 天一档：URGENT）", 360000, 0, -100, "INVOICED", ""),
    ("HT-08", "预付款（逾期 40 天，已收齐：不提醒）", 360000, 360000, -40, "COMPLETED", ""),
)
# its case and the level it should get, contract, total, paid, status, payment status, due, dispute
INVOICES: tuple[tuple[str, str, int | None, int, str, str, int | None, str | None], ...] = (
    ("今天到期：不预警", "HT-01", 300000, 0, "ISSUED", "PENDING", 0, None),
    ("逾期 1 天：INFO", "HT-01", 300000, 0, "ISSUED", "PENDING", -1, None),
    ("逾期 29 天，已付一半：INFO", "HT-01", 300000, 150000, "ISSUED", "PARTIAL", -29, None),
    ("逾期 30 天：WARNING", "HT-01", 300000, 0, "ISSUED", "PENDING", -30, None),
    ("逾期 59 天：WARNING", "HT-02", 300000, 0, "ISSUED", "PENDING", -59, None),
    ("逾期 60 天：CRITICAL", "HT-02", 300000, 0, "ISSUED", "PENDING", -60, None),
    ("逾期 89 天：CRITICAL", "HT-03", 300000, 0, "ISSUED", "PENDING", -89, None),
    ("逾期 90 天：URGENT", "HT-03", 300000, 0, "ISSUED", "PENDING", -90, None),
    ("大额，逾期 1 天：WARNING", "HT-04", 500000, 0, "ISSUED", "PENDING", -1, None),
    ("差一分不算大额，逾期 1 天：INFO", "HT-04", 499999, 0, "ISSUED", "PENDING", -1, None),
    ("大额，已付大半，级别不降，逾期 60 天：URGENT", "HT-05", 900000, 880000, "ISSUED", "PARTIAL", -60, None),
    ("大额，有争议，逾期 120 天：INFO", "HT-05", 900000, 0, "ISSUED", "PENDING", -120, "OPEN"),
    ("争议已解决，逾期 60 天：CRITICAL", "HT-06", 200000, 0, "ISSUED", "PENDING", -60, "RESOLVED"),
    ("已付清，逾期 60 天：不预警", "HT-06", 200000, 200000, "ISSUED", "PAID", -60, None),
    ("已付清而状态未改，数据缺陷：不预警", "HT-06", 200000, 200000, "ISSUED", "PENDING", -60, None),
    ("已作废，逾期 60 天：不预警", "HT-07", 200000, 0, "VOID", "PENDING", -60, None),
    ("未开出，逾期 60 天：不预警", "HT-07", 200000, 0, "APPROVED", "PENDING", -60, None),
    ("没有到期日，只计数：不预警", "HT-07", 200000, 0, "ISSUED", "PENDING", None, None),
    ("没有合同负责人，逾期 5 天：INFO", "HT-10", 200000, 0, "ISSUED", "PENDING", -5, None),
    ("没有合同，逾期 5 天：INFO", "", 80000, 0, "ISSUED", "PENDING", -5, None),
    ("项目已结案，钱仍要收，逾期 95 天：URGENT", "HT-13", 32000, 0, "ISSUED", "PENDING", -95, None),
)


def populate(factory: Factory) -> None:
    """Contracts, their planned payments, their invoices, and two dozen invoices that were paid."""
    customer = {project[0]: project[2] + 1 for project in PROJECTS}
    factory.insert(
        "erp.contracts", "id contract_code customer_id project_id contract_amount status delivery_deadline owner_id",
        [(CONTRACT[code], f"{code}（{case}）" if case else code, customer.get(project, 1), PROJECT.get(project), amount, status,
          factory.date(deadline), USER[owner] if owner else None)
         for code, case, project, owner, amount, status, deadline in CONTRACTS],
    )
    project_of = {contract[0]: PROJECT.get(contract[2]) for contract in CONTRACTS}
    factory.insert(
        "erp.project_payment_plans", "id project_id contract_id payment_name planned_amount actual_amount planned_date status milestone_id",
        [(number, project_of[contract], CONTRACT[contract], name, amount, received, factory.date(planned), status,
          MILESTONE[milestone] if milestone else None)
         for number, (contract, name, amount, received, planned, status, milestone) in enumerate(PAYMENTS, 1)],
    )
    paid = [
        ("", f"HT-{number % 8 + 1:02}", 50000 + 1000 * number, 50000 + 1000 * number, "ISSUED", "PAID", -10 * number, None)
        for number in range(1, 25)
    ]
    factory.insert(
        "erp.invoices", "id invoice_code contract_id project_id amount total_amount paid_amount status payment_status issue_date due_date dispute_status",
        [(number, f"INV-{number:04}（{case}）" if case else f"INV-{number:04}", CONTRACT.get(contract), project_of.get(contract),
          total, total, came, status, payment, factory.date(-130 if due is None else due - 30), factory.date(due), dispute)
         for number, (case, contract, total, came, status, payment, due, dispute) in enumerate((*INVOICES, *paid), 1)],
    )
