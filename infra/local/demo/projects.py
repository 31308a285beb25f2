"""What does the factory build? Six busy projects, and one for each case of project health (rulebook 6.1), with machines and costs."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from decimal import Decimal

from infra.local.demo.people import DEPARTMENT, USER
from infra.local.demo.rows import Factory, numbered

CUSTOMERS = (
    "宁波海曙新能源有限公司", "苏州吴门汽车部件有限公司", "常州龙城光伏科技有限公司", "东莞松湖电子有限公司", "杭州钱塘医疗器械有限公司",
    "无锡太湖压缩机有限公司",
)
# key, name (its case and the health it should get), customer, status, start, end, progress, manager, budget, cost, health stored so far
PROJECTS = (
    ("PJ01", "新能源电池模组装配线（阻塞问题未解决：H3）", 0, "ST10", -90, 60, "58", "liqiang", 8600000, 4988000, "H1"),
    ("PJ02", "汽车座椅综合检测线（有 HIGH/URGENT 问题：H2）", 1, "ST12", -60, 90, "38", "zhouting", 5200000, 1976000, "H1"),
    ("PJ03", "光伏组件串焊机（关键里程碑已逾期：H2）", 2, "ST16", -120, 30, "78", "wanglei", 3900000, 3042000, "H1"),
    ("PJ04", "手机中框打磨单元（CRITICAL 级缺料：H3）", 3, "ST12", -45, 75, "36", "weber", 2800000, 1008000, "H1"),
    ("PJ05", "注射器自动组装机（仅 WARNING 级缺料：H2）", 4, "ST12", -40, 80, "33", "chenjing", 3300000, 1089000, "H1"),
    ("PJ06", "空压机总装线（一切正常：H1）", 5, "ST12", -30, 120, "20", "liqiang", 6100000, 1220000, "H1"),
    ("PJ07", "电芯分选机（计划 7 天后完工：H2）", 0, "ST20", -93, 7, "90", "zhouting", 1500000, 900000, "H1"),
    ("PJ08", "电芯扫码线（计划 8 天后完工：H1）", 0, "ST20", -92, 8, "90", "zhouting", 1200000, 720000, "H1"),
    ("PJ09", "座椅滑轨铆接机（昨日应完工而未完工：H2）", 1, "ST20", -100, -1, "95", "wanglei", 1000000, 1200000, "H1"),
    ("PJ10", "汇流条焊接机（进度落后 10.0 点：H1）", 0, "ST12", -50, 50, "40", "chenjing", 1000000, "899900", "H1"),
    ("PJ11", "边框涂胶机（进度落后 10.1 点：H2）", 2, "ST12", -50, 50, "39.9", "chenjing", 1000000, 900000, "H1"),
    ("PJ12", "听筒贴合机（物料阻塞：H3）", 3, "ST14", -50, 50, "45", "weber", 700000, 300000, "H1"),
    ("PJ13", "摄像头调焦机（技术阻塞：H3）", 3, "ST19", -50, 50, "45", "weber", 900000, 400000, "H3"),
    ("PJ14", "输液管绕卷机（FAT 整改：H2）", 4, "ST22", -80, 40, "62", "liqiang", 800000, 480000, "H1"),
    ("PJ15", "针头清洗机（SAT 整改：H2）", 4, "ST26", -80, 40, "62", "liqiang", 600000, 360000, "H2"),
    ("PJ16", "转子压装机（任务受阻：H3）", 5, "ST12", -40, 60, "36", "zhouting", 1100000, 400000, "H1"),
    ("PJ17", "阀板装配机（缺料 WARNING 已升级仍算 WARNING：H2）", 5, "ST12", -40, 60, "36", "zhouting", 950000, 300000, "H2"),
    ("PJ18", "曲轴箱清洗机（仅一单 CRITICAL 级缺料：H3）", 5, "ST12", -40, 60, "36", "wanglei", 870000, 300000, "H1"),
    ("PJ19", "极耳裁切机（已结案仍有阻塞问题：H4）", 0, "ST30", -200, -20, "100", "wanglei", 640000, 600000, "H4"),
    ("PJ20", "遮阳板热压机（已取消：H4）", 1, "ST99", -150, 20, "15", "chenjing", 500000, 60000, "H1"),
    ("PJ21", "返修工装（没有计划日期：H1）", 3, "ST02", None, None, "0", "hejing", 0, 12000, "H1"),
    ("PJ22", "试产治具（计划结束早于开始：H1）", 3, "ST02", 60, 30, "0", "hejing", None, 0, "H1"),
    ("PJ23", "接线盒焊接机（原为 H3，阻塞问题已解决：H1）", 2, "ST12", -30, 70, "28", "chenjing", 780000, 200000, "H3"),
    ("PJ24", "旧线搬迁（已归档：不计算）", 1, "ST12", -300, -100, "80", "wanglei", 200000, 190000, "H1"),
    ("PJ25", "样机预研（已停用：不计算）", 2, "ST02", -60, -10, "10", "hejing", 100000, 30000, "H1"),
)
PROJECT = numbered(project[0] for project in PROJECTS)
MACHINES = [  # the busy projects have three machines each, the others one
    (f"{key}-M{number}", key, number) for key in PROJECT for number in range(1, 4 if key <= "PJ06" else 2)
]
MACHINE = numbered(code for code, _, _ in MACHINES)
MACHINE_NAMES = ("", "上料工站", "装配工站", "检测工站")
# share of the actual cost, type, category
COSTS = ((60, "MATERIAL", "直接材料"), (30, "LABOR", "直接人工"), (10, "OTHER", "差旅与运输"))
# (name, status, start, end, progress): the same four for every running project, in days from today
TASKS = (
    ("方案评审", "DONE", -30, -20, 100), ("机械设计", "DONE", -20, -10, 100), ("电气接线", "IN_PROGRESS", -5, 10, 45),
    ("程序调试", "TODO", 10, 25, 0),
)
ENGINEERS = ("liuyang", "sunyue", "huanglei", "machao")


def populate(factory: Factory) -> None:
    """Customers, projects, machines, tasks, costs that add up to the project's own, and last week's snapshots."""
    factory.insert("erp.customers", "id customer_name", list(enumerate(CUSTOMERS, 1)))
    factory.insert(
        "erp.projects", "id project_code project_name customer_id stage status health progress_pct planned_start_date "
        "planned_end_date actual_start_date budget_amount actual_cost pm_id dept_id is_active is_archived",
        [(PROJECT[key], key, name, customer + 1, "S5", status, health, progress, factory.date(start), factory.date(end),
          factory.date(min(start, -1)) if start is not None else None, budget, cost, USER[manager], DEPARTMENT["PMO"],
          key != "PJ25", key == "PJ24")
         for key, name, customer, status, start, end, progress, manager, budget, cost, health in PROJECTS],
    )
    factory.insert(
        "erp.machines", "id project_id machine_code machine_name",
        [(MACHINE[code], PROJECT[key], code, MACHINE_NAMES[number]) for code, key, number in MACHINES],
    )
    _tasks(factory)
    factory.insert(
        "erp.project_costs", "project_id cost_type cost_category amount cost_date description",
        [(PROJECT[project[0]], kind, category, (Decimal(project[9]) * share / 100).quantize(Decimal("0.01")),
          factory.date(-15), f"{project[0]} {category}")
         for project in PROJECTS for share, kind, category in COSTS if Decimal(project[9])],
    )
    _last_week(factory)


def _tasks(factory: Factory) -> None:
    """Their weights make each project's progress what PROJECTS says; two projects have not been computed yet."""
    running = [key for key in PROJECT if key not in ("PJ19", "PJ24", "PJ25")]
    progress_of = {project[0]: Decimal(project[6]) for project in PROJECTS}
    tasks = []
    for key in running:
        whole, tenths = divmod(progress_of[key], 1)
        done = whole - 9
        weights = [done // 2, done - done // 2, Decimal(10), 99 - whole] if whole else [Decimal(1)] * 4
        tasks += [
            (PROJECT[key], name, status, USER[ENGINEERS[(PROJECT[key] + number) % 4]], factory.date(start), factory.date(end),
             90 + int(10 * tenths) if progress == 45 and whole else progress, weights[number], factory.instant(-2))
            for number, (name, status, start, end, progress) in enumerate(TASKS)
        ]
    tasks.append((PROJECT["PJ16"], "转子动平衡试验（设备未到，受阻）", "BLOCKED", USER["machao"], factory.date(-6), factory.date(2), 20, Decimal(1), factory.instant(-2)))
    tasks.append((PROJECT["PJ19"], "验收移交", "DONE", USER["machao"], factory.date(-60), factory.date(-20), 100, Decimal(1000), factory.instant(-2)))
    factory.insert("erp.project_tasks", "project_id task_name status owner_id plan_start plan_end progress_percent weight updated_at", tasks)


def _last_week(factory: Factory) -> None:
    """The snapshots of a week ago: on Mondays the digest names the project whose score fell by 15 points or more."""
    scores = (("PJ01", "H1", 95), ("PJ06", "H1", 100), ("PJ13", "H3", 58), ("PJ15", "H2", 90))
    factory.insert(
        "belfry.project_health_snapshots",
        "project_id snapshot_date overall_health health_score open_alerts blocking_issues milestone_delayed top_risks created_at",
        [(PROJECT[key], factory.date(-7), health, score, 0, 0, 0, [], factory.instant(-7, "02:00"))
         for key, health, score in scores],
    )
