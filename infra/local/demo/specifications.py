"""What do the contracts ask of materials? Requirements with a purchase or BOM line each, on both sides of every limit of the match."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from sqlalchemy import text

from infra.local.demo.materials import MATERIAL
from infra.local.demo.people import USER
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

PROJECT_KEY = "PJ01"
Words = str | None
# the requirement's name (its case and the level it should get), material, level, what is asked: text, brand, model, parameters;
# then the line: text, brand, model
PURCHASED: tuple[tuple[str, str, str, Words, Words, Words, dict[str, str], Words, Words, Words], ...] = (
    ("直线导轨（完全一致：不预警）", "LG-5", "REQUIRED", "HG35 精密级 P", "HIWIN", "HGH35CA", {}, "HG35 精密级 P", "HIWIN", "HGH35CA"),
    ("直线导轨（全角、大小写和单位写法不同：不预警）", "LG-6", "REQUIRED", "MG9 行程 100mm", "HIWIN", None, {"行程": "100mm"}, "ＭＧ９　行程10cm", "hiwin", None),
    ("气缸（品牌不符，71 分：WARNING）", "CY-5", "REQUIRED", "缸径40 行程50", "SMC", None, {}, "缸径40 行程50", "亚德客", None),
    ("气缸（品牌未填，71 分：WARNING）", "CY-6", "REQUIRED", "缸径40 行程100", "SMC", None, {}, "缸径40 行程100", None, None),
    ("电磁阀（型号不符但有参数，正好 80 分，必需：不预警）", "VL-5", "REQUIRED", "五通 阀岛 24V", "SMC", "SY5120", {"电压": "24V"}, "五通 阀岛 24V", "SMC", "SY5220"),
    ("电磁阀（型号不符但有参数，正好 80 分，严格：CRITICAL）", "VL-6", "STRICT", "五通 阀岛 24V", "SMC", "SY5120", {"电压": "24V"}, "五通 阀岛 24V", "SMC", "SY5220"),
    ("开关电源（参数偏差 5% 以内：不预警）", "PW-6", "REQUIRED", "导轨式 输出电压 12V", None, None, {"输出电压": "12V"}, "导轨式 输出电压 12.5V", None, None),
    ("开关电源（规格文字只有一半相同：WARNING）", "PW-7", "OPTIONAL", "导轨式电源48V5A", None, None, {}, "机架式电源24V2A 双路", None, None),
    ("可编程控制器（关键物料型号不符：CRITICAL）", "PL-6", "REQUIRED", "128点 晶体管输出", None, "FX5U-128", {}, "128点 晶体管输出", None, "FX3U-128"),
    ("断路器（采购行没有规格，无法比对：不预警）", "CB-6", "REQUIRED", "32A 3P C型", "施耐德", None, {}, None, "施耐德", None),
    ("接触器（只有规格且相差很大，证据不足：不预警）", "CT-6", "REQUIRED", "LC1D40 220V", None, None, {}, "普通型", None, None),
    ("接触器（规格和品牌都不对：WARNING）", "CT-7", "REQUIRED", "LC1D50 220V", "施耐德", None, {}, "普通型", "正泰", None),
)
BUILT_IN: tuple[tuple[str, str, str, Words, Words, Words, dict[str, str], Words, Words, Words], ...] = (
    ("轴承（清单行一致：不预警）", "BR-6", "REQUIRED", "6200 2RS", "NSK", None, {}, "6200-2RS", "NSK", None),
    ("轴承（清单行品牌不符：WARNING）", "BR-7", "REQUIRED", "6201 2RS", "NSK", None, {}, "6201 2RS", "哈轴", None),
    ("行星减速机（清单行严格要求、型号不符：CRITICAL）", "RD-6", "STRICT", "120-10 间隙3弧分", None, "PLF120-10", {}, "120-10 间隙3弧分", None, "PLE120-10"),
)


def populate(factory: Factory) -> None:
    """The requirements, one purchase order and one bill of material that answer them."""
    project = PROJECT[PROJECT_KEY]
    factory.insert(
        "erp.spec_requirements",
        "id project_id material_code material_name requirement_level specification brand model key_parameters updated_at",
        [(number, project, code, name, level, text, brand, model, parameters, factory.instant(-30))
         for number, (name, code, level, text, brand, model, parameters, *_) in enumerate((*PURCHASED, *BUILT_IN), 1)],
    )
    order, bill = _next(factory, "erp.purchase_orders"), _next(factory, "erp.bom_headers")
    factory.insert(
        "erp.purchase_orders", "id order_no order_title supplier_id project_id buyer_id status required_date",
        [(order, "PO-SPEC", "合同规格件采购", 1, project, USER["sunlei"], "ORDERED", factory.date(40))],
    )
    factory.insert(
        "erp.purchase_order_items", "order_id material_id quantity received_qty unit_price specification brand model updated_at",
        [(order, MATERIAL[code], 2, 0, 100, *line, factory.instant(-3)) for _, code, _, _, _, _, _, *line in PURCHASED],
    )
    factory.insert(
        "erp.bom_headers", "id bom_no project_id is_latest status", [(bill, "BOM-SPEC", project, True, "RELEASED")],
    )
    factory.insert(
        "erp.bom_items", "bom_id material_id quantity received_qty is_key_item specification brand model updated_at",
        [(bill, MATERIAL[code], 2, 0, False, *line, factory.instant(-30)) for _, code, _, _, _, _, _, *line in BUILT_IN],
    )


def _next(factory: Factory, table: str) -> int:
    """The number of the row that comes next."""
    return int(factory.connection.execute(text(f"select max(id) + 1 from {table}")).scalar_one())  # noqa: S608 - names from this module
