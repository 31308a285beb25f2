"""Job 3 by the rulebook: which lines are compared with what, when again, what is kept, and who is told."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Boolean, Connection, Text, cast, select, text

from shared.erp import spec_matches
from tests.acceptance.cases import AlertJob
from tests.conftest import Perform
from tests.evidence import alerts, everything
from tests.factories import Erp
from tests.shared.rules.spec_cases import LEVELS, SCORES, TEXT, Case

JOB = "daily_spec_match_check"
NINE = "2026-03-02T09:00+08:00"
NEXT_NINE = "2026-03-03T09:00+08:00"
WRONG = "abcdefgXYZ"  # seven of ten letters of TEXT: 70 points


@pytest.fixture
def erp(db: Connection) -> Erp:
    return Erp(db)


class Bought:
    """A purchase line, the material it names and what its project asks of that."""

    def __init__(self, erp: Erp, specification: str | None = WRONG, *, order: Mapping[str, Any] | None = None,
                 line: Mapping[str, Any] | None = None, asked: Mapping[str, Any] | None = None, **material: Any) -> None:  # fmt: skip
        self.db = erp.conn
        self.project = (order or {}).get("project_id") or erp.project()
        self.material = erp.material(**material)
        self.order = erp.purchase_order(
            [{"material_id": self.material, "specification": specification, **(line or {})}],
            **{"project_id": self.project, **(order or {})},
        )
        self.line = self.one("select id from erp.purchase_order_items where order_id = :id", self.order)
        code = self.one("select material_code from erp.materials where id = :id", self.material)
        self.requirement = erp.requirement(
            **{"project_id": self.project, "material_code": code, "specification": TEXT, **(asked or {})}
        )

    def one(self, query: str, number: int) -> Any:
        return self.db.execute(text(query), {"id": number}).scalar_one()

    def change(self, assignments: str) -> None:
        self.db.execute(text(f"update erp.purchase_order_items set {assignments} where id = :id"), {"id": self.line})

    def ask(self, assignments: str) -> None:
        self.db.execute(text(f"update erp.spec_requirements set {assignments} where id = :id"), {"id": self.requirement})


def only(db: Connection) -> Mapping[str, Any]:
    (alert,) = alerts(db)
    return alert


def levels(db: Connection) -> dict[int, str]:
    return {a["target_id"]: a["base_level"] for a in alerts(db) if a["status"] == "PENDING"}


def kept(db: Connection) -> list[Any]:
    return list(db.execute(text("""select match_type, match_target_id, requirement_id, match_status, match_score
        from belfry.spec_match_records order by id""")))


# ---------------------------------------------------------------- what every job promises
def _violate(erp: Erp, first: date) -> int:
    return int(Bought(erp).line)


def _clear(db: Connection, line: int) -> None:
    db.execute(text("update erp.purchase_order_items set specification = :t where id = :id"), {"t": TEXT, "id": line})


def _worsen(db: Connection, line: int) -> None:
    db.execute(text("update erp.spec_requirements set requirement_level = 'STRICT'"))


def _spoil(erp: Erp, first: date) -> str:
    erp.requirement(key_parameters=["24V"])
    return "SPEC_REQUIREMENT"


def _multiply(db: Connection, line: int, n: int) -> None:
    db.execute(text("""insert into erp.purchase_order_items (order_id, material_id, specification, quantity)
        select order_id, material_id, specification, quantity from erp.purchase_order_items, generate_series(1, :n) where id = :id"""),
        {"n": n, "id": line})  # fmt: skip


CASES = [
    AlertJob(
        JOB, "SPEC_MISMATCH", clock="09:00", violate=_violate, clear=_clear, worsen=_worsen, spoil=_spoil, multiply=_multiply,
        reasons={"the_business_day_begins_at_local_midnight": "no day: a line matches or does not, whatever day it is"},
    ),
]  # fmt: skip


# ---------------------------------------------------------------- scores, through the database
@pytest.mark.parametrize("case", [c for c in SCORES if c.score is not None], ids=lambda c: c.name)
def test_the_job_gives_every_case_the_score_of_the_rule(case: Case, erp: Erp, db: Connection, perform: Perform) -> None:
    names = {"parameters": "key_parameters", "level": "requirement_level"}
    asked = {names.get(name, name): value for name, value in case.asked.items()}
    given = {"specification": TEXT, **case.line}
    bought = Bought(erp, line=given, asked=asked)
    perform(JOB, NINE)
    assert kept(db) == [("PURCHASE_ORDER", bought.line, bought.requirement, case.status, Decimal(str(case.score)))]
    assert [a["target_id"] for a in alerts(db)] == ([bought.line] if case.status == "MISMATCHED" else [])


def test_the_level_in_sql_is_the_level_of_the_rule(db: Connection) -> None:
    asked = [spec_matches.level(cast(level, Text), cast(key, Boolean)) for level, key, _ in LEVELS]
    said = db.execute(select(*(expression.label(f"case_{n}") for n, expression in enumerate(asked)))).one()
    assert list(said) == [level for *_, level in LEVELS]


def test_eighty_with_a_difference_is_enough_unless_the_requirement_is_strict(erp: Erp, db: Connection, perform: Perform) -> None:
    spoken = f"{TEXT} 行程100mm"
    asked = {"specification": spoken, "brand": "THK", "model": "HSR20", "key_parameters": {"行程": "100mm"}}
    Bought(erp, spoken, line={"brand": "THK"}, asked=asked)
    strict = Bought(erp, spoken, line={"brand": "THK"}, asked=asked | {"requirement_level": "STRICT"})
    perform(JOB, NINE)
    assert [row.match_score for row in kept(db)] == [80, 80]
    assert levels(db) == {strict.line: "CRITICAL"}


def test_nothing_comparable_and_an_empty_specification_are_unknown_counted_and_not_told(
    erp: Erp, db: Connection, perform: Perform
) -> None:
    Bought(erp, None)
    Bought(erp, "  ", asked={"brand": "THK"}, line={"brand": "THK"})
    counters = perform(JOB, NINE)["counters"]
    assert (counters["unknown"], counters["violations"]) == (2, 0)
    assert {row.match_status for row in kept(db)} == {"UNKNOWN"}
    assert perform(JOB, NEXT_NINE)["counters"]["unknown"] == 2


# ---------------------------------------------------------------- which lines, which requirements
@pytest.mark.parametrize(("status", "compared"), [
    ("DRAFT", False), ("PENDING_APPROVAL", False), ("APPROVED", True), ("REJECTED", False), ("ORDERED", True),
    ("PARTIAL_RECEIVED", True), ("RECEIVED", False), ("COMPLETED", False), ("CANCELLED", False),
])
def test_lines_of_running_orders_are_compared(status: str, compared: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    bought = Bought(erp, order={"status": status})
    perform(JOB, NINE)
    assert levels(db) == ({bought.line: "WARNING"} if compared else {})


@pytest.mark.parametrize(("columns", "compared"), [
    ({"status": "APPROVED"}, True), ({"status": "RELEASED"}, True), ({"status": "DRAFT"}, False), ({"status": "OBSOLETE"}, False),
    ({"is_latest": False}, False),
])
def test_lines_of_approved_bills_are_compared(columns: dict[str, Any], compared: bool, erp: Erp, db: Connection, perform: Perform) -> None:
    manager = erp.user()
    project, material = erp.project(pm_id=manager), erp.material(material_code="LG-1")
    erp.requirement(project_id=project, material_code="LG-1", specification=TEXT)
    erp.bom([{"material_id": material, "specification": WRONG}], **{"project_id": project, "bom_no": "BOM-1", **columns})
    perform(JOB, NINE)
    assert len(alerts(db)) == int(compared)
    if compared:
        (item,) = db.execute(text("select id from erp.bom_items")).scalars()
        stored = db.execute(text("select target_type, target_no, dedupe_key from belfry.alert_records")).one()
        assert stored == ("BOM_ITEM", f"BOM-1 #{item}", f"SPEC_MISMATCH|BOM_ITEM|{item}")
        assert only(db)["recipients"] == [f"USER:{manager}"]


@pytest.mark.parametrize("columns", [{"is_active": False}, {"is_archived": True}, {"status": "ST30"}, {"status": "ST99"}])
def test_projects_that_are_over_are_left_out(columns: dict[str, Any], erp: Erp, db: Connection, perform: Perform) -> None:
    Bought(erp, order={"project_id": erp.project(**columns)})
    assert perform(JOB, NINE)["counters"]["checked"] == 0
    assert alerts(db) == []


def test_a_project_that_asks_nothing_is_skipped_and_counted(erp: Erp, db: Connection, perform: Perform) -> None:
    erp.purchase_order([{"specification": "x"}, {"specification": "y"}])
    counters = perform(JOB, NINE)["counters"]
    assert (counters["projects_without_requirements"], counters["checked"]) == (1, 0)


def test_another_projects_requirements_are_not_meant(erp: Erp, db: Connection, perform: Perform) -> None:
    bought = Bought(erp, TEXT)
    erp.requirement(material_code="LG-1", specification="zzzz")
    erp.requirement(project_id=bought.project, material_code="LG-2", specification="zzzz")
    perform(JOB, NINE)
    assert [(row.requirement_id, row.match_status) for row in kept(db)] == [(bought.requirement, "MATCHED")]


def test_the_best_requirement_is_the_lines(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-48: upstream takes the first."""
    bought = Bought(erp, TEXT, asked={"specification": "zzzz"}, material_code="LG-1")
    better = erp.requirement(project_id=bought.project, material_code="LG-1", specification=TEXT)
    perform(JOB, NINE)
    assert [(row.requirement_id, row.match_status) for row in kept(db)] == [(better, "MATCHED")]
    assert alerts(db) == []


def test_a_bad_match_is_a_mismatch_and_not_unknown(erp: Erp, db: Connection, perform: Perform) -> None:
    """D-48: upstream hides the worst."""
    bought = Bought(erp, "zzzz", line={"brand": "HIWIN"}, asked={"brand": "THK"})
    perform(JOB, NINE)
    assert levels(db) == {bought.line: "WARNING"}


def test_brand_and_model_come_from_the_material_where_the_line_has_none(erp: Erp, db: Connection, perform: Perform) -> None:
    asked = {"brand": "THK", "model": "HSR20"}
    Bought(erp, TEXT, asked=asked, brand="THK", model="HSR20")
    other = Bought(erp, TEXT, asked=asked, line={"brand": "HIWIN", "model": " "}, brand="THK", model="HSR20")
    perform(JOB, NINE)
    assert [row.match_score for row in kept(db)] == [100, Decimal("77.78")]
    assert levels(db) == {other.line: "WARNING"}


def test_a_line_that_names_no_material_is_counted(erp: Erp, db: Connection, perform: Perform) -> None:
    bought = Bought(erp)
    bought.change("material_id = null")
    counters = perform(JOB, NINE)["counters"]
    assert (counters["without_material"], counters["violations"]) == (1, 0)


# ---------------------------------------------------------------- again only when something changed
def test_a_line_is_judged_again_when_it_its_requirement_its_material_or_the_limits_change(
    erp: Erp, db: Connection, perform: Perform
) -> None:
    """D-48: upstream judges a line once in its life."""
    bought = Bought(erp, TEXT, material_code="LG-1")
    Bought(erp, TEXT)

    def again(params: dict[str, Any] | None = None) -> int:
        return int(perform(JOB, NINE, kind="manual", params=params)["counters"]["rechecked"])

    assert again() == 2
    before = everything(db)["belfry.spec_match_records"]
    assert again() == 0
    assert everything(db)["belfry.spec_match_records"] == before
    bought.change("quantity = 99, required_date = '2026-05-05'")
    assert again() == 0
    bought.change(f"specification = '{WRONG}'")
    assert again() == 1
    assert levels(db) == {bought.line: "WARNING"}
    bought.ask(f"specification = '{WRONG}'")
    assert again() == 1
    assert levels(db) == {}
    db.execute(text("update erp.materials set brand = 'THK' where material_code = 'LG-1'"))
    assert again() == 1
    erp.requirement(project_id=bought.project, material_code="LG-1", specification="zzzz")
    assert again() == 1
    assert again({"tolerance": 6}) == 2


def test_a_requirement_that_is_withdrawn_takes_its_answer_and_its_alert_along(erp: Erp, db: Connection, perform: Perform) -> None:
    bought = Bought(erp)
    perform(JOB, NINE)
    db.execute(text("delete from erp.spec_requirements where id = :id"), {"id": bought.requirement})
    perform(JOB, NEXT_NINE)
    assert kept(db) == []
    assert only(db)["status"] == "RESOLVED"


def test_a_line_that_another_requirement_fits_better_keeps_one_answer(erp: Erp, db: Connection, perform: Perform) -> None:
    bought = Bought(erp, material_code="LG-1")
    perform(JOB, NINE)
    better = erp.requirement(project_id=bought.project, material_code="LG-1", specification=WRONG)
    perform(JOB, NEXT_NINE)
    assert [row.requirement_id for row in kept(db)] == [better]


# ---------------------------------------------------------------- the alert: people, facts, life
def test_the_alert_says_what_was_asked_and_what_is_there(erp: Erp, db: Connection, perform: Perform) -> None:
    buyer = erp.user("孙磊")
    bought = Bought(
        erp, order={"order_no": "PO-1", "buyer_id": buyer, "project_id": erp.project(project_code="PJ-1", project_name="上料线")},
        asked={"brand": "THK"}, material_code="LG-1", material_name="直线导轨", is_key_material=True,
    )  # fmt: skip
    perform(JOB, NINE)
    alert = only(db)
    assert (alert["target_no"], alert["base_level"], alert["recipients"]) == (f"PO-1/{bought.line}", "CRITICAL", [f"USER:{buyer}"])
    assert (alert["trigger_value"], alert["threshold_value"]) == (50, 80)
    facts = dict(alert["facts"])
    assert len(facts.pop("input_hash")) == 64
    assert facts == {
        "kind": "PURCHASE_ORDER", "line_no": f"PO-1/{bought.line}", "material_code": "LG-1", "material_name": "直线导轨",
        "project_code": "PJ-1", "project_name": "上料线", "score": 50, "threshold": 80, "requirement_level": "REQUIRED", "is_key": True,
        "required": TEXT, "actual": WRONG, "differences": [
            {"part": "specification", "required": TEXT, "actual": WRONG, "similarity": 70},
            {"part": "brand", "required": "THK", "actual": None}],
    }  # fmt: skip


def test_an_order_without_a_buyer_tells_the_materials(erp: Erp, db: Connection, perform: Perform) -> None:
    buyer = erp.user()
    Bought(erp, order={"buyer_id": None}, buyer_id=buyer)
    perform(JOB, NINE)
    assert only(db)["recipients"] == [f"USER:{buyer}"]


@pytest.mark.parametrize(("change", "status"), [
    ("update erp.purchase_orders set status = 'CANCELLED'", "EXPIRED"), ("delete from erp.purchase_order_items", "EXPIRED"),
    ("update erp.purchase_orders set status = 'RECEIVED'", "RESOLVED"), ("update erp.projects set is_archived = true", "EXPIRED"),
])
def test_a_cancelled_line_expires_its_alert_and_a_received_one_resolves_it(
    change: str, status: str, erp: Erp, db: Connection, perform: Perform
) -> None:
    Bought(erp)
    perform(JOB, NINE)
    db.execute(text(change))
    perform(JOB, NEXT_NINE)
    assert only(db)["status"] == status


def test_lines_of_both_kinds_with_one_number_are_two_alerts(erp: Erp, db: Connection, perform: Perform) -> None:
    bought = Bought(erp, material_code="LG-1")
    erp.bom([{"material_id": bought.material, "specification": WRONG}], project_id=bought.project)
    item = db.execute(text("select id from erp.bom_items")).scalar_one()
    while item < bought.line:
        erp.bom([{"material_id": bought.material, "specification": TEXT}], project_id=bought.project)
        item += 1
    perform(JOB, NINE)
    before = len(alerts(db))
    bought.change(f"specification = '{TEXT}'")
    perform(JOB, NEXT_NINE)
    states = db.execute(text("select target_type, status from belfry.alert_records order by 1")).all()
    assert before == 2
    assert states == [("BOM_ITEM", "PENDING"), ("PURCHASE_ORDER_ITEM", "RESOLVED")]


def approve(db: Connection, reason: str | None = "客户已书面同意") -> None:
    db.execute(text("""update belfry.alert_records set status = 'IGNORED', handle_result = :r,
        mute_until = '2026-03-09T09:00+08:00' where status = 'PENDING'"""), {"r": reason})  # fmt: skip


def test_an_approved_deviation_stays_silent_for_what_was_approved(erp: Erp, db: Connection, perform: Perform) -> None:
    bought = Bought(erp)
    perform(JOB, NINE)
    approve(db)
    perform(JOB, "2026-03-20T09:00+08:00")  # long after the usual mute
    assert [a["status"] for a in alerts(db)] == ["IGNORED"]
    bought.change("specification = 'abcdefWXYZ'")
    perform(JOB, "2026-03-21T09:00+08:00")
    assert [a["status"] for a in alerts(db)] == ["IGNORED", "PENDING"]


def test_a_changed_line_is_told_even_within_the_mute_of_the_old_one(erp: Erp, db: Connection, perform: Perform) -> None:
    bought = Bought(erp)
    perform(JOB, NINE)
    approve(db)
    bought.change("specification = 'abcdefWXYZ'")
    for at in (NEXT_NINE, "2026-03-04T09:00+08:00"):
        perform(JOB, at)
    assert [a["status"] for a in alerts(db)] == ["IGNORED", "PENDING"]


def test_ignored_without_a_reason_is_only_muted_for_its_time(erp: Erp, db: Connection, perform: Perform) -> None:
    Bought(erp)
    perform(JOB, NINE)
    approve(db, None)
    perform(JOB, NEXT_NINE)
    assert [a["status"] for a in alerts(db)] == ["IGNORED"]
    perform(JOB, "2026-03-10T09:00+08:00")
    assert [a["status"] for a in alerts(db)] == ["IGNORED", "PENDING"]


@pytest.mark.parametrize(("assignments", "error"), [
    ("key_parameters = '[1]'", "key parameters are array, not names with values"),
    ("key_parameters = '{\"a\": null}'", "a key parameter is neither a number nor a word"),
])
def test_a_requirement_that_cannot_be_read_is_listed_and_its_lines_are_left_alone(
    assignments: str, error: str, erp: Erp, db: Connection, perform: Perform
) -> None:
    bought, other = Bought(erp), Bought(erp)
    perform(JOB, NINE)
    bought.ask(assignments)
    bought.change(f"specification = '{TEXT}'")
    other.change(f"specification = '{TEXT}'")
    answer = perform(JOB, NEXT_NINE)
    assert (answer["state"], answer["counters"]["failed"]) == ("partial", 1)
    item = db.execute(text("select item_type, error from belfry.execution_items")).one()
    assert item == ("SPEC_REQUIREMENT", error)
    assert {a["target_id"]: a["status"] for a in alerts(db)} == {bought.line: "PENDING", other.line: "RESOLVED"}
