"""What is in stock? A catalogue of two hundred materials with plenty of each, and the few that are short on purpose."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from infra.local.demo.people import USER
from infra.local.demo.rows import Factory, numbered

SUPPLIERS = (
    "苏州恒力传动有限公司", "无锡精工直线有限公司", "上海启明自动化有限公司", "宁波鼎盛气动有限公司", "东莞华亿机加厂", "常州天和钣金有限公司",
    "深圳讯达电子有限公司", "杭州博锐传感有限公司",
)
WAREHOUSES = (("WH-RAW", "原料仓", "guoliang"), ("WH-ELE", "电气仓", "linxia"), ("WH-OLD", "旧仓（已停用）", "guoliang"))
WAREHOUSE = numbered(code for code, _, _ in WAREHOUSES)
# prefix, name, unit, sizes, key material, lead time in days, price, supplier
FAMILIES = (
    ("SM", "伺服电机", "台", "100W 200W 400W 750W 1kW 1.5kW 2kW 3kW", True, 30, 1850, 0),
    ("SD", "伺服驱动器", "台", "100W 200W 400W 750W 1kW 1.5kW 2kW 3kW", True, 30, 1620, 0),
    ("RD", "行星减速机", "台", "60-5 60-10 90-5 90-10 90-20 120-10 120-20 120-50", False, 25, 980, 0),
    ("PL", "可编程控制器", "台", "16点 32点 48点 64点 96点 128点 256点 512点", True, 35, 2450, 2),
    ("HM", "触摸屏", "台", "4.3寸 7寸 9寸 10寸 12寸 15寸 17寸 19寸", False, 20, 1250, 2),
    ("LG", "直线导轨", "根", "HG15 HG20 HG25 HG30 HG35 MG9 MG12 MG15", False, 15, 320, 1),
    ("BS", "滚珠丝杠", "根", "1204 1605 1610 2005 2010 2505 2510 3210", False, 18, 540, 1),
    ("CY", "气缸", "个", "20x50 20x100 32x50 32x100 40x50 40x100 63x100 63x200", False, 7, 145, 3),
    ("VL", "电磁阀", "个", "2位3通 2位5通 3位5通 阀岛4联 阀岛8联 阀岛12联 高频 防爆", False, 7, 96, 3),
    ("FR", "气源三联件", "套", "G1/8 G1/4 G3/8 G1/2 G3/4 G1 精密 大流量", False, 7, 168, 3),
    ("PS", "接近开关", "个", "M5 M8 M12 M18 M30 方形 耐高温 长距离", False, 5, 58, 7),
    ("PE", "光电开关", "个", "对射 反射 漫反射 光纤 槽型 色标 激光 安全光幕", False, 6, 132, 7),
    ("VC", "工业相机", "台", "130万 200万 500万 600万 1200万 2000万 线扫4K 线扫8K", True, 28, 3600, 7),
    ("LN", "工业镜头", "个", "6mm 8mm 12mm 16mm 25mm 35mm 50mm 远心", False, 20, 880, 7),
    ("PW", "开关电源", "个", "24V2A 24V5A 24V10A 24V20A 12V5A 12V10A 48V5A 48V10A", False, 5, 118, 6),
    ("CB", "断路器", "个", "6A 10A 16A 20A 25A 32A 40A 63A", False, 3, 46, 6),
    ("CT", "接触器", "个", "9A 12A 18A 25A 32A 40A 50A 65A", False, 3, 72, 6),
    ("TB", "接线端子", "个", "1.5 2.5 4 6 10 16 保险 接地", False, 3, 3, 6),
    ("AL", "铝型材", "米", "2020 3030 4040 4080 6060 8080 80120 80160", False, 10, 65, 5),
    ("PT", "机加工件", "件", "底板 立板 支座 压板 定位块 连接轴 轴承座 导向板", False, 12, 210, 4),
    ("SH", "钣金件", "件", "护罩 电柜 线槽 支架 门板 托盘 底座 观察窗框", False, 10, 180, 5),
    ("BR", "轴承", "个", "6000 6001 6002 6003 6004 6200 6201 6202", False, 5, 14, 1),
)
PLENTY = [
    (f"{prefix}-{number}", name, size, unit, key, lead, price, supplier)
    for prefix, name, unit, sizes, key, lead, price, supplier in FAMILIES for number, size in enumerate(sizes.split(), 1)
]
# code, name, specification, in stock, of it reserved, of it frozen
SCARCE = (
    ("ZJ-01", "定制顶升板", "两张工单共用 10 件", 10, 0, 0), ("ZJ-02", "定制压头", "采购晚到一天", 0, 0, 0),
    ("ZJ-03", "定制托盘", "采购开工当日到", 0, 0, 0), ("ZJ-04", "定制吸盘座", "行无承诺日，按需求日", 0, 0, 0),
    ("ZJ-05", "定制滚轮", "采购单已取消", 0, 0, 0), ("ZJ-07", "定制拨叉", "已开工仍缺", 1, 0, 0),
    ("ZJ-08", "定制凸轮", "今天开工", 1, 0, 0), ("ZJ-09", "定制导向轴", "明天开工", 1, 0, 0),
    ("ZJ-10", "定制限位块", "逾期采购只够一部分", 0, 0, 0), ("ZJ-11", "定制夹爪", "3 天后开工", 1, 0, 0),
    ("ZJ-12", "定制同步轮", "4 天后开工", 1, 0, 0), ("ZJ-13", "定制齿条", "7 天后开工", 1, 0, 0),
    ("ZJ-14", "定制挡料销", "8 天后开工", 1, 0, 0), ("ZJ-15", "定制弹簧座", "14 天后开工", 1, 0, 0),
    ("ZJ-16", "定制联轴器", "15 天后开工", 1, 0, 0), ("ZJ-17", "定制垫块", "五项缺一项", 1, 0, 0),
    ("ZJ-18", "定制主轴", "关键件", 1, 0, 0), ("ZJ-19", "定制铆钉", "缺 4%", 96, 0, 0),
    ("ZJ-20", "定制衬套", "缺 5%", 95, 0, 0), ("ZJ-21", "定制弯管", "大半被预留和冻结", 20, 8, 8),
    ("ZJ-22", "定制端盖", "账面为负", -5, 0, 0), ("ZJ-23", "定制卡箍", "清单里出现两行", 5, 0, 0),
    ("ZJ-24", "定制刻度尺", "计划数量为空", 5, 0, 0), ("ZJ-25", "定制阀座", "一般缺料", 1, 0, 0),
    ("ZJ-26", "定制曲轴夹具", "严重缺料", 1, 0, 0),
)
MATERIAL = numbered([material[0] for material in PLENTY] + [material[0] for material in SCARCE])
BUYERS = ("sunlei", "zhumin", "kowalska")


def populate(factory: Factory) -> None:
    """Suppliers, warehouses, materials and their stock."""
    factory.insert(
        "erp.suppliers", "id supplier_code supplier_name",
        [(number, f"SUP{number:02}", name) for number, name in enumerate(SUPPLIERS, 1)],
    )
    factory.insert(
        "erp.warehouses", "id warehouse_code warehouse_name keeper_id is_active",
        [(WAREHOUSE[code], code, name, USER[keeper], code != "WH-OLD") for code, name, keeper in WAREHOUSES],
    )
    columns = (
        "id material_code material_name specification unit material_type abc_class is_key_material safety_stock "
        "lead_time_days min_order_qty standard_price default_supplier_id buyer_id is_active"
    )
    plenty = [
        (MATERIAL[code], code, name, size, unit, "PURCHASE", "A" if price >= 1000 else "B" if price >= 100 else "C", key,
         20, lead, 1, price, supplier + 1, USER[BUYERS[supplier % 3]], True)
        for code, name, size, unit, key, lead, price, supplier in PLENTY
    ]
    scarce = [
        (MATERIAL[code], code, name, specification, "件", "PURCHASE", "B", False, 0, 10, 1, 260, 5, USER[BUYERS[0]], True)
        for code, name, specification, *_ in SCARCE
    ]
    factory.insert("erp.materials", columns, plenty + scarce)
    stock = [
        (MATERIAL[code], WAREHOUSE["WH-ELE" if supplier in (2, 6, 7) else "WH-RAW"], quantity, reserved, 0)
        for code, *_, supplier in PLENTY for quantity, reserved in ((2000, 100),)
    ]
    stock += [
        (MATERIAL[code], WAREHOUSE["WH-RAW"], quantity, reserved, frozen) for code, _, _, quantity, reserved, frozen in SCARCE
    ]
    counted = factory.instant(-20, "17:00")
    factory.insert(
        "erp.inventories", "material_id warehouse_id batch_no quantity reserved_qty frozen_qty last_counted_at updated_at",
        [(material, warehouse, "", quantity, reserved, frozen, counted, factory.instant(-1, "18:00"))
         for material, warehouse, quantity, reserved, frozen in stock],
    )
