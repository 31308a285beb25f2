"""Which engineering changes wait? Evaluations, approvals and tasks on both sides of every threshold at 09:00."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from infra.local.demo.people import USER
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

When = tuple[int, str]
# title (its case and the level it should get), project, status, who waits, person, status of the part, began, due
TIMED: tuple[tuple[str, str | None, str, str, str | None, str, When, When | None], ...] = (
    ("电机改型（评估满 3 天整：不预警）", "PJ01", "EVALUATING", "质量部", "luomin", "PENDING", (-3, "09:00"), None),
    ("夹爪改为快换结构（评估 3 天 1 小时：WARNING）", "PJ01", "EVALUATING", "质量部", "liangwei", "PENDING", (-3, "08:00"), None),
    ("气路改为集中供气（评估超期 3 天 23 小时：WARNING）", "PJ01", "EVALUATING", "制造部", "wugang", "PENDING", (-10, "09:00"), (-4, "10:00")),
    ("机架加强筋（评估超期 4 天整，也告知项目经理：CRITICAL）", "PJ02", "EVALUATING", "研发设计部", "gaoxiang", "PENDING", (-10, "09:00"), (-4, "09:00")),
    ("导轨改国产（评估超期 8 天整：URGENT）", "PJ02", "EVALUATING", "采购部", "xuli", "PENDING", (-20, "09:00"), (-8, "09:00")),
    ("护罩改透明（没有评估人，通知申请人：WARNING）", "PJ02", "EVALUATING", "设备部", None, "PENDING", (-4, "09:00"), None),
    ("控制柜移位（评估已完成：不预警）", "PJ02", "EVALUATING", "质量部", "luomin", "COMPLETED", (-30, "09:00"), None),
    ("旧版图纸归档（变更已关闭，评估 30 天：不预警）", "PJ02", "CLOSED", "质量部", "luomin", "PENDING", (-30, "09:00"), None),
    ("旧线照明改造（项目已归档：不预警）", "PJ24", "EVALUATING", "设备部", "caoyang", "PENDING", (-30, "09:00"), None),
)
APPROVALS: tuple[tuple[str, str | None, str, str, str | None, str, When, When | None], ...] = (
    ("传感器加装支架（审批期限刚到：不预警）", "PJ03", "APPROVING", "QA", "luomin", "PENDING", (-2, "09:00"), (0, "09:00")),
    ("伺服参数调整（审批超期 1 分钟：WARNING）", "PJ03", "APPROVING", "QA", "luomin", "PENDING", (-2, "09:00"), (0, "08:59")),
    ("喷嘴材质变更（没有期限，提交满 7 天即超期 4 天：CRITICAL）", "PJ03", "APPROVING", "QA", "liangwei", "PENDING", (-7, "09:00"), None),
    ("输送带加宽（没有审批人，通知质量角色：WARNING）", "PJ04", "APPROVING", "QA", None, "PENDING", (-6, "09:00"), (-2, "09:00")),
    ("主轴更换供应商（审批超期 9 天：URGENT）", "PJ04", "APPROVING", "PROC", "xuli", "PENDING", (-20, "09:00"), (-9, "09:00")),
    ("吸盘规格统一（昨天还超期，已批准，标记应取消：不预警）", "PJ04", "EXECUTING", "QA", "luomin", "APPROVED", (-20, "09:00"), (-9, "09:00")),
    ("外壳丝印修改（已驳回的变更：不预警）", "PJ04", "REJECTED", "QA", "luomin", "PENDING", (-20, "09:00"), (-9, "09:00")),
)
# title, project, status, task, person, status of the task, planned end in days
TASKS: tuple[tuple[str, str | None, str, str, str | None, str, int | None], ...] = (
    ("定位块加厚（任务今天到期：不预警）", "PJ05", "EXECUTING", "更新装配图纸", "liuyang", "PENDING", 0),
    ("料仓加传感器（任务昨天到期：WARNING）", "PJ05", "EXECUTING", "修改电气图", "sunyue", "IN_PROGRESS", -1),
    ("推杆改短行程（任务超期 3 天：WARNING）", "PJ05", "EXECUTING", "更新 BOM", "huanglei", "PENDING", -3),
    ("针阀改型（任务超期 4 天，也告知项目经理：CRITICAL）", "PJ05", "EXECUTING", "采购新件", "zhumin", "IN_PROGRESS", -4),
    ("检测工位合并（任务超期 7 天：CRITICAL）", "PJ05", "EXECUTING", "修改程序", "machao", "PENDING", -7),
    ("压头加导向（任务超期 8 天：URGENT）", "PJ05", "EXECUTING", "现场改造", "zhenghao", "PENDING", -8),
    ("托盘编码变更（没有负责人，通知申请人：WARNING）", "PJ05", "EXECUTING", "通知客户", None, "PENDING", -2),
    ("工装颜色统一（任务没有计划日期，只计数：不预警）", "PJ05", "EXECUTING", "喷涂", "yuanbin", "PENDING", None),
    ("铭牌更换（任务已完成：不预警）", "PJ05", "EXECUTING", "制作铭牌", "yuanbin", "COMPLETED", -9),
    ("公司标准件替换（没有项目，超期 5 天：CRITICAL）", None, "EXECUTING", "更新标准件库", "liuyang", "PENDING", -5),
)


def populate(factory: Factory) -> None:
    """One change a case, each with the one part that its title is about; an approval that is still marked as overdue."""
    heads = [case[:3] for case in TIMED] + [case[:3] for case in APPROVALS] + [case[:3] for case in TASKS]
    factory.insert(
        "erp.ecns", "id ecn_no ecn_title project_id status applicant_id",
        [(number, f"ECN-{number:04}", title, PROJECT[project] if project else None, status, USER["songjia"])
         for number, (title, project, status) in enumerate(heads, 1)],
    )
    factory.insert(
        "erp.ecn_evaluations", "ecn_id eval_dept evaluator_id status created_at due_at",
        [(number, dept, USER[person] if person else None, status, factory.instant(*began), factory.instant(*due) if due else None)
         for number, (_, _, _, dept, person, status, began, due) in enumerate(TIMED, 1)],
    )
    factory.insert(
        "erp.ecn_approvals", "id ecn_id approval_level approval_role approver_id status created_at due_at",
        [(number, len(TIMED) + number, 1, role, USER[person] if person else None, status, factory.instant(*began),
          factory.instant(*due) if due else None)
         for number, (_, _, _, role, person, status, began, due) in enumerate(APPROVALS, 1)],
    )
    factory.insert(
        "erp.ecn_tasks", "ecn_id task_name assignee_id status planned_end",
        [(len(TIMED) + len(APPROVALS) + number, name, USER[person] if person else None, status, factory.date(end))
         for number, (_, _, _, name, person, status, end) in enumerate(TASKS, 1)],
    )
    approved = next(number for number, case in enumerate(APPROVALS, 1) if "标记应取消" in case[0])
    factory.insert("belfry.approval_overdue", "approval_id overdue_since", [(approved, factory.instant(-9))])
