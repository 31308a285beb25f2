"""`python -m infra doctor`: which jobs can an ERP feed, what is missing for the others, and does everything load?"""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra import contract
from infra.__main__ import main
from infra.contract import Contract
from infra.local.home import Home
from shared.cronfile.loading import load

ROOT = Path(__file__).resolve().parents[2]
JOBS = dict(load(ROOT / "cron.yaml").jobs)


def verdicts(db: Connection, schema: str = "erp") -> dict[str, contract.Verdict]:
    return {verdict.job_id: verdict for verdict in contract.judged(Contract(db, schema), JOBS.values())}


def as_views(db: Connection) -> None:
    """The company's tables under another name, and the contract as views of them."""
    db.execute(text("alter schema erp rename to company"))
    db.execute(text("create schema erp"))
    tables = text("select relname from pg_class where relnamespace = 'company'::regnamespace and relkind in ('r', 'p')")
    for name in db.execute(tables).scalars().all():
        db.execute(text(f"create view erp.{name} as select * from company.{name}"))


def replaced(db: Connection, view: str, query: str) -> None:
    db.execute(text(f"drop view erp.{view}"))
    db.execute(text(f"create view erp.{view} as {query}"))


def test_every_job_runs_on_the_contract_itself(db: Connection) -> None:
    found = verdicts(db)
    assert {job: v.as_dict() for job, v in found.items() if v.word != "runs"} == {}
    assert set(found) == set(JOBS)
    assert found["check_overdue_issues"].columns > 10


def test_a_missing_column_is_named_for_the_jobs_that_use_it_and_the_others_run(db: Connection) -> None:
    db.execute(text("alter table erp.purchase_order_items drop column promised_date"))
    found = verdicts(db)
    assert found["check_delivery_delay"].missing == ("erp.purchase_order_items.promised_date",)
    assert found["daily_kit_check"].word == "missing"
    assert found["check_overdue_issues"].word == "runs"
    assert found["sweep_deliveries"].word == "runs"


def test_a_column_that_only_others_use_is_nobody_elses_trouble(db: Connection) -> None:
    db.execute(text("alter table erp.goods_receipts drop column receipt_date"))
    missing = {job for job, verdict in verdicts(db).items() if verdict.missing}
    assert "check_delivery_delay" in missing
    assert not missing & {"check_overdue_issues", "calculate_project_health", "daily_kit_check"}


def test_a_missing_table_is_named(db: Connection) -> None:
    db.execute(text("drop table erp.goods_receipts cascade"))
    assert verdicts(db)["check_delivery_delay"].missing == ("erp.goods_receipts",)


def test_who_is_told_is_needed_by_every_job_that_tells(db: Connection) -> None:
    db.execute(text("alter table erp.users drop column wechat_userid"))
    found = verdicts(db)
    assert "erp.users.wechat_userid" in found["check_delivery_delay"].missing
    assert found["update_time_progress"].word == "runs"


@pytest.mark.parametrize(("type_", "word"), [
    ("varchar(80)", "runs"), ("char(4)", "runs"), ("int", "missing"), ("json", "missing"),
])  # fmt: skip
def test_a_type_may_be_another_spelling_but_not_another_meaning(type_: str, word: str, db: Connection) -> None:
    as_views(db)
    others = ", ".join(c.name for c in contract.erp.tables["erp.issues"].columns if c.name != "title")
    replaced(db, "issues", f"select {others}, null::{type_} as title from company.issues")
    assert verdicts(db)["check_overdue_issues"].word == word


def test_a_time_without_its_zone_is_not_a_time(db: Connection) -> None:
    as_views(db)
    others = ", ".join(c.name for c in contract.erp.tables["erp.issues"].columns if c.name != "created_at")
    replaced(db, "issues", f"select {others}, created_at::timestamp from company.issues")
    (said,) = (m for m in verdicts(db)["check_blocking_issues"].missing if "created_at" in m)
    assert said == "erp.issues.created_at is timestamp without time zone, timestamp with time zone is expected"


def test_plain_views_are_as_good_as_tables(db: Connection) -> None:
    as_views(db)
    assert {job: v.as_dict() for job, v in verdicts(db).items() if v.word != "runs"} == {}


def test_a_view_that_takes_no_writing_is_read_only_for_the_jobs_that_write(db: Connection) -> None:
    as_views(db)
    replaced(db, "projects", "select distinct * from company.projects")
    found = verdicts(db)
    assert found["calculate_project_health"].read_only == ("erp.projects.health: no UPDATE",)
    assert found["calculate_project_health"].word == "read only"
    assert found["daily_health_snapshot"].word == "runs"


def test_a_user_without_the_right_to_write_is_read_only(db: Connection) -> None:
    role = f"reader_{db.execute(text('select current_database()')).scalar_one()}"
    db.execute(text(f"create role {role}"))
    try:
        db.execute(text(f"grant usage on schema erp to {role}"))
        db.execute(text(f"grant select on all tables in schema erp to {role}"))
        db.execute(text(f"set role {role}"))
        found = verdicts(db)
        assert found["data_sync"].read_only[:2] == ("erp.suppliers: no INSERT", "erp.suppliers: no UPDATE")
        assert found["check_overdue_issues"].word == "runs"
    finally:
        db.execute(text("reset role"))
        db.execute(text(f"drop owned by {role}"))
        db.execute(text(f"drop role {role}"))


def test_a_key_that_writing_relies_on_is_asked_of_a_table_and_of_a_views_rows(db: Connection) -> None:
    db.execute(text("alter table erp.suppliers drop constraint suppliers_supplier_code_key"))
    assert verdicts(db)["data_sync"].read_only == ("erp.suppliers: no unique key on (supplier_code)",)
    as_views(db)
    assert verdicts(db)["data_sync"].word == "runs"
    db.execute(text("insert into company.suppliers (supplier_code, supplier_name) values ('S-1', 'a'), ('S-1', 'b')"))
    assert verdicts(db)["data_sync"].read_only == ("erp.suppliers: (supplier_code) is not unique",)


# ---------------------------------------------------------------- the command
def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    code = main(["doctor", *arguments])
    out, err = capsys.readouterr()
    return code, json.loads(out.splitlines()[-1]) if out else {}, err


def test_another_database_is_asked_before_belfry_runs_there(
    db: Connection, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found, err = doctor(capsys, "--database", database_url)
    assert (code, found["ok"], err) == (0, True, "")
    db.execute(text("alter table erp.purchase_order_items drop column promised_date"))
    code, found, err = doctor(capsys, "--database", database_url, "--json")
    assert (code, found["ok"]) == (1, False)
    assert found["erp"]["check_delivery_delay"]["missing"] == ["erp.purchase_order_items.promised_date"]


def test_a_person_reads_a_line_a_job(db: Connection, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    db.execute(text("drop table erp.goods_receipts cascade"))
    main(["doctor", "--database", database_url])
    out, err = capsys.readouterr()
    assert "  check_delivery_delay                   missing: erp.goods_receipts\n" in out
    assert "  check_overdue_issues                   runs\n" in out
    assert "check_delivery_delay: missing\n" in err


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (("--database", "mysql://nowhere"), 2, "--database: postgresql://"),
    (("--database", "postgresql://nobody@127.0.0.1:9/none"), 4, "--database lets nobody in"),
    (("--home", "/nonexistent"), 4, "no local cloud was ever started there"),
])  # fmt: skip
def test_what_cannot_be_asked_has_its_code(
    arguments: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, answer, err = doctor(capsys, *arguments)
    assert (found, answer) == (code, {})
    assert said in err


def test_a_schema_without_anything_is_bad_input(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = doctor(capsys, "--database", database_url, "--schema", "company")
    assert code == 2
    assert "--schema company: there is no table or view" in err


def test_a_cloud_that_is_down_is_out_of_reach(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    url = "postgresql://nobody@127.0.0.1:9/none"
    for name in ("DATABASE_URL", "PUBSUB_EMULATOR_HOST", "BELFRY_URL"):
        monkeypatch.setenv(name, url)
    Home(tmp_path).write_environment({"DATABASE_URL": url})
    code, _, err = doctor(capsys, "--home", str(tmp_path))
    assert code == 4
    assert "the database does not answer" in err
