"""Which purchase and BOM lines does job 3 look at, and which has it not judged as they stand now? (rulebook job 3)"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CompoundSelect,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONPATH, aggregate_order_by

from shared.erp.live import in_live_project
from shared.erp.materials import OPEN_ORDERS
from shared.erp.side_tables import spec_match_records as records
from shared.erp.tables import (
    bom_headers,
    bom_items,
    materials,
    projects,
    purchase_order_items,
    purchase_orders,
    spec_requirements,
)
from shared.erp.tokens import user

PURCHASE, BOM = "PURCHASE_ORDER", "BOM"
TARGETS = {PURCHASE: "PURCHASE_ORDER_ITEM", BOM: "BOM_ITEM"}
APPROVED_BILLS = ("APPROVED", "RELEASED")
_EMPTY: Any = literal_column("''", Text)  # in the text, so that an expression is itself again in GROUP BY
_NEITHER = '$.* ? (@.type() != "number" && @.type() != "string")'

_line, _order, _material, _project = purchase_order_items.c, purchase_orders.c, materials.c, projects.c
_item, _bom, _asked = bom_items.c, bom_headers.c, spec_requirements.c
_purchase_no = func.concat(_order.order_no, "/", _line.id)
_bom_no = func.concat(_bom.bom_no, " #", _item.id)


def lines() -> CompoundSelect[Any]:
    """Lines of running orders and of the latest approved bills of live projects, one column list for both kinds."""
    live = and_(_project.id.is_not(None), in_live_project())
    purchase = select(
        literal(PURCHASE, Text).label("match_type"), _line.id.label("line_id"), _purchase_no.label("line_no"),
        _order.project_id, *_told(_line), _material.is_key_material.label("is_key"),
        func.coalesce(user(_order.buyer_id), user(_material.buyer_id)).label("person"),
    ).join_from(purchase_order_items, purchase_orders, _order.id == _line.order_id).join(
        projects, _project.id == _order.project_id
    ).outerjoin(materials, _material.id == _line.material_id).where(_order.status.in_(OPEN_ORDERS), live)
    built_in = select(
        literal(BOM, Text), _item.id, _bom_no, _bom.project_id, *_told(_item),
        or_(_item.is_key_item, func.coalesce(_material.is_key_material, False)), user(_project.pm_id),
    ).join_from(bom_items, bom_headers, _bom.id == _item.bom_id).join(
        projects, _project.id == _bom.project_id
    ).outerjoin(materials, _material.id == _item.material_id).where(
        _bom.is_latest, _bom.status.in_(APPROVED_BILLS), live
    )
    return union_all(purchase, built_in)


def _told(line: Any) -> tuple[Any, ...]:
    """What a line says of itself; brand and model come from its material where it says nothing."""
    return (
        _material.material_code.label("code"), _material.material_name.label("name"),
        _said(line.specification).label("specification"),
        func.coalesce(_said(line.brand), _material.brand).label("brand"),
        func.coalesce(_said(line.model), _material.model).label("model"),
    )


def _said(column: Any) -> Any:
    return func.nullif(func.btrim(column), _EMPTY)


def changed(limits: str) -> Select[Any]:
    """Lines whose answer may differ from the one kept: they, one of their requirements, or the limits have changed.

    A line whose requirement cannot be read is not among them: what was said of it stays.
    """
    line, digest = lines().cte("spec_lines"), _digests().cte("spec_digests")
    own, nameless = digest.alias("own"), digest.alias("nameless")
    kept = select(
        records.c.match_type, records.c.match_target_id, func.min(records.c.candidates_hash).label("candidates_hash")
    ).group_by(records.c.match_type, records.c.match_target_id).subquery("kept").c
    asked = func.coalesce(own.c.digest, nameless.c.digest)
    said = func.md5(cast(func.jsonb_build_array(
        line.c.code, line.c.name, line.c.specification, line.c.brand, line.c.model
    ), Text))
    now = func.md5(func.concat_ws("|", said, asked, limits))
    return select(
        line.c.match_type, line.c.line_id, line.c.project_id, line.c.code, line.c.name, line.c.specification,
        line.c.brand, line.c.model, said.label("line_hash"), now.label("candidates_hash"),
    ).outerjoin_from(line, own, and_(own.c.project_id == line.c.project_id, own.c.code == line.c.code)).outerjoin(
        nameless, and_(nameless.c.project_id == line.c.project_id, nameless.c.code == "")
    ).outerjoin(
        kept.match_type.table,
        and_(kept.match_type == line.c.match_type, kept.match_target_id == line.c.line_id),
    ).where(
        or_(asked.is_not(None), kept.match_type.is_not(None)), kept.candidates_hash.is_distinct_from(now),
        ~_blocked(line.c.project_id, line.c.code),
    )


def requirements(project_ids: Sequence[int]) -> Select[Any]:
    """What the contracts of these projects ask for, with the hash of each."""
    return select(
        _asked.id, _asked.project_id, _said(_asked.material_code).label("code"), _asked.material_name.label("name"),
        _asked.specification, _asked.brand, _asked.model, _asked.key_parameters.label("parameters"),
        _asked.requirement_level.label("level"), _hash().label("hash"),
    ).where(_asked.project_id == func.any(cast(list(project_ids), ARRAY(BigInteger))), ~_broken())


def _digests() -> Select[Any]:
    """Per project and material code (none: an empty one) the hash of all that is asked."""
    code = func.coalesce(_said(_asked.material_code), _EMPTY)
    return select(
        _asked.project_id, code.label("code"),
        func.md5(func.string_agg(_hash(), aggregate_order_by(literal(",", Text), _asked.id))).label("digest"),
    ).where(~_broken()).group_by(_asked.project_id, code)


def _hash() -> Any:
    said = (
        _asked.id, _asked.material_code, _asked.material_name, _asked.specification, _asked.brand, _asked.model,
        _asked.key_parameters, _asked.requirement_level,
    )
    return func.md5(cast(func.jsonb_build_array(*said), Text))


def _broken() -> Any:
    """Key parameters that are no names with a number or a word; or nothing to find a material by."""
    shape = func.jsonb_typeof(_asked.key_parameters)
    listed = func.jsonb_path_exists(_asked.key_parameters, cast(_NEITHER, JSONPATH))
    unnamed = and_(_said(_asked.material_code).is_(None), _said(_asked.material_name).is_(None))
    return or_(shape != "object", listed, unnamed)


def _blocked(project_id: Any, code: Any) -> Any:
    """Whether what is asked of that code cannot be read."""
    return select(_asked.id).where(
        _asked.project_id == project_id, _said(_asked.material_code) == code, _broken()
    ).exists()


def unjudgeable() -> Select[Any]:
    """Requirements of live projects that cannot be read, with the reason; their lines are left as they were."""
    reason = case(
        (func.jsonb_typeof(_asked.key_parameters) != "object",
         func.concat("key parameters are ", func.jsonb_typeof(_asked.key_parameters), ", not names with values")),
        (and_(_said(_asked.material_code).is_(None), _said(_asked.material_name).is_(None)), "names no material"),
        else_="a key parameter is neither a number nor a word",
    )
    columns: tuple[Any, ...] = (
        literal("SPEC_REQUIREMENT").label("item_type"),
        func.concat(_project.project_code, "/", _asked.id).label("item_key"), reason.label("error"),
    )
    return select(*columns).join_from(spec_requirements, projects, _project.id == _asked.project_id).where(
        in_live_project(), _broken()
    )


def counted() -> Select[Any]:
    """Lines looked at (`lines`), those that name no material, live projects with lines but nothing asked (`silent`)."""
    line = lines().cte("spec_lines").c
    asked = select(_asked.project_id).where(_asked.project_id == line.project_id).exists()
    numbers: tuple[Any, ...] = (
        func.count().filter(asked).label("lines"),
        func.count().filter(asked, line.code.is_(None)).label("without_material"),
        func.count(line.project_id.distinct()).filter(~asked).label("silent"),
    )
    return select(*numbers).select_from(line.line_id.table)


def present() -> Select[Any]:
    """Lines that somebody still wants, by the number that their alert carries."""
    return _numbers(_order.status.not_in(("CANCELLED", "REJECTED")), and_(_bom.is_latest, _bom.status != "OBSOLETE"))


def judged() -> Select[Any]:
    """Lines that something can be said of; one that is received or closed ends its alert."""
    return _numbers(
        ~_blocked(_order.project_id, _material.material_code), ~_blocked(_bom.project_id, _material.material_code)
    )


def _numbers(of_order: Any, of_bill: Any) -> Select[Any]:
    return select(union_all(
        select(_purchase_no.label("target_no")).join_from(
            purchase_order_items, purchase_orders, _order.id == _line.order_id
        ).outerjoin(projects, _project.id == _order.project_id).outerjoin(
            materials, _material.id == _line.material_id
        ).where(of_order, in_live_project()),
        select(_bom_no).join_from(bom_items, bom_headers, _bom.id == _item.bom_id).outerjoin(
            projects, _project.id == _bom.project_id
        ).outerjoin(materials, _material.id == _item.material_id).where(of_bill, in_live_project()),
    ).subquery())
