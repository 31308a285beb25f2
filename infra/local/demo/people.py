"""Who works in the factory? Departments, people with their bosses and roles, and the three who sign in to the console."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from infra.local.demo.rows import Factory, numbered

# code, name, manager
DEPARTMENTS = (
    ("GMO", "总经理办公室", "linguodong"), ("PMO", "项目管理部", "suhui"), ("RD", "研发设计部", "gaoxiang"),
    ("PUR", "采购部", "xuli"), ("WHS", "仓储部", "hujun"), ("QAD", "质量部", "luomin"), ("MFG", "制造部", "zhengkai"),
    ("EQP", "设备部", "caoyang"), ("FIN", "财务部", "pengli"), ("SAL", "销售部", "caiming"), ("ITD", "信息部", "yefan"),
)
DEPARTMENT = numbered(code for code, _, _ in DEPARTMENTS)

POSITIONS = ("总经理", "部门经理", "项目经理", "工程师", "采购员", "仓管员", "检验员", "车间主任", "装配技师", "会计", "销售", "专员")
POSITION = numbered(POSITIONS)

VIEW, TRIGGER, MANAGE, ADMIN = "scheduler:view", "scheduler:trigger", "scheduler:manage", "scheduler:admin"
HANDLE, ALERT_ADMIN = "alert:handle", "alert:admin"
# code, name, permissions (rulebook 4.3)
ROLES = (
    ("PMO", "项目管理办公室", [VIEW, TRIGGER, HANDLE, ALERT_ADMIN]), ("FIN", "财务", [VIEW, HANDLE]),
    ("SALES_MGR", "销售经理", [VIEW, HANDLE]), ("PROC", "采购", [VIEW, HANDLE]), ("WH", "仓储", [VIEW, HANDLE]),
    ("QA", "质量", [VIEW, HANDLE]), ("PROD", "生产", [VIEW, HANDLE]), ("EQUIP", "设备", [VIEW, HANDLE]),
    ("PRESALE", "售前", [VIEW, HANDLE]), ("DBA", "数据库管理员", [VIEW, TRIGGER, HANDLE]),
    ("SYS_ADMIN", "系统管理员", [VIEW, TRIGGER, MANAGE, ADMIN, HANDLE, ALERT_ADMIN]), ("GM", "总经理", [VIEW, HANDLE]),
    ("JOB_OWNER", "任务负责人", [VIEW, TRIGGER, HANDLE]), ("VIEWER", "只读用户", [VIEW]),
)
ROLE = numbered(code for code, _, _ in ROLES)

# username, name, department, position, boss ("" = the department's manager answers), roles, what is special
PEOPLE = (
    ("linguodong", "林国栋", "GMO", "总经理", "", "GM", ""),
    ("suhui", "苏慧", "PMO", "部门经理", "linguodong", "PMO", ""),
    ("liqiang", "李强", "PMO", "项目经理", "suhui", "", ""),
    ("zhouting", "周婷", "PMO", "项目经理", "suhui", "", ""),
    ("wanglei", "王磊", "PMO", "项目经理", "", "", ""),
    ("weber", "Daniel Weber", "PMO", "项目经理", "suhui", "", "english berlin"),
    ("chenjing", "陈静", "PMO", "项目经理", "suhui", "", ""),
    ("hejing", "何静", "PMO", "专员", "suhui", "PMO", "english"),
    ("gaoxiang", "高翔", "RD", "部门经理", "linguodong", "", ""),
    ("liuyang", "刘洋", "RD", "工程师", "gaoxiang", "", ""),
    ("sunyue", "孙悦", "RD", "工程师", "gaoxiang", "", ""),
    ("huanglei", "黄磊", "RD", "工程师", "gaoxiang", "", ""),
    ("machao", "马超", "RD", "工程师", "", "", ""),
    ("jiangxue", "蒋雪", "RD", "工程师", "gaoxiang", "PRESALE", ""),
    ("xuli", "徐丽", "PUR", "部门经理", "linguodong", "PROC", ""),
    ("sunlei", "孙磊", "PUR", "采购员", "xuli", "", ""),
    ("zhumin", "朱敏", "PUR", "采购员", "xuli", "", ""),
    ("kowalska", "Anna Kowalska", "PUR", "采购员", "xuli", "", "english"),
    ("hujun", "胡军", "WHS", "部门经理", "linguodong", "WH", ""),
    ("guoliang", "郭亮", "WHS", "仓管员", "hujun", "", ""),
    ("linxia", "林霞", "WHS", "仓管员", "hujun", "", ""),
    ("luomin", "罗敏", "QAD", "部门经理", "linguodong", "QA", ""),
    ("liangwei", "梁伟", "QAD", "检验员", "luomin", "QA", ""),
    ("songjia", "宋佳", "QAD", "检验员", "luomin", "", ""),
    ("zhengkai", "郑凯", "MFG", "部门经理", "linguodong", "PROD", ""),
    ("wugang", "吴刚", "MFG", "车间主任", "zhengkai", "PROD", ""),
    ("fengyong", "冯勇", "MFG", "车间主任", "zhengkai", "PROD", ""),
    ("dongjie", "董洁", "MFG", "车间主任", "zhengkai", "", ""),
    ("panhao", "潘浩", "MFG", "车间主任", "zhengkai", "", ""),
    ("zhenghao", "郑浩", "MFG", "装配技师", "fengyong", "", ""),
    ("yuanbin", "袁斌（无邮箱）", "MFG", "装配技师", "fengyong", "", "no-email"),
    ("dengchao", "邓超（无企业微信）", "MFG", "装配技师", "dongjie", "", "no-wechat"),
    ("xuqiang", "许强（无手机号）", "MFG", "装配技师", "wugang", "", "no-phone"),
    ("fangting", "方婷（已离职）", "MFG", "装配技师", "fengyong", "", "inactive"),
    ("caoyang", "曹阳", "EQP", "部门经理", "linguodong", "EQUIP", ""),
    ("pengli", "彭丽", "FIN", "部门经理", "linguodong", "FIN", ""),
    ("zengwen", "曾雯", "FIN", "会计", "pengli", "FIN", ""),
    ("caiming", "蔡明", "SAL", "部门经理", "linguodong", "SALES_MGR", ""),
    ("jialei", "贾磊", "SAL", "销售", "caiming", "", ""),
    ("dingning", "丁宁", "SAL", "工程师", "caiming", "PRESALE", ""),
    ("yefan", "叶帆", "ITD", "部门经理", "linguodong", "SYS_ADMIN", ""),
    ("chengfeng", "程峰", "ITD", "工程师", "yefan", "DBA", ""),
    ("viewer", "访客", "ITD", "专员", "yefan", "VIEWER", ""),
    ("owner", "任务负责人", "PMO", "专员", "suhui", "JOB_OWNER", ""),
    ("admin", "系统管理员", "ITD", "专员", "yefan", "SYS_ADMIN", ""),
)
USER = numbered(person[0] for person in PEOPLE)


def populate(factory: Factory) -> None:
    """Departments, positions, people, roles, and who has which."""
    factory.insert(
        "erp.departments", "id dept_code dept_name parent_id manager_user_id is_active",
        [(DEPARTMENT[code], code, name, None if code == "GMO" else DEPARTMENT["GMO"], USER[boss], True)
         for code, name, boss in DEPARTMENTS],
    )
    factory.insert(
        "erp.positions", "id position_code position_name",
        [(number, f"P{number:02}", name) for name, number in POSITION.items()],
    )
    factory.insert(
        "erp.users", "id username real_name email phone wechat_userid department_id position_id manager_id language "
        "time_zone is_active is_superuser",
        [(USER[name], name, real_name, None if "no-email" in special else f"{name}@example.com",
          None if "no-phone" in special else f"1380000{USER[name]:04}", None if "no-wechat" in special else name,
          DEPARTMENT[department], POSITION[position], USER[boss] if boss else None, "en" if "english" in special else "zh",
          "Europe/Berlin" if "berlin" in special else "Asia/Shanghai", "inactive" not in special, name == "admin")
         for name, real_name, department, position, boss, _, special in PEOPLE],
    )
    factory.insert(
        "erp.roles", "id role_code role_name permissions is_active",
        [(ROLE[code], code, name, permissions, True) for code, name, permissions in ROLES],
    )
    factory.insert(
        "erp.user_roles", "user_id role_id",
        [(USER[person[0]], ROLE[code]) for person in PEOPLE for code in person[5].split()],
    )
