"""Job W2: who may log in, what changed, who became a superuser; and a server that does not answer changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.acceptance.cases import AlertJob, RowsJob
from tests.conftest import Perform
from tests.evidence import alerts, messages
from tests.factories import TODAY, Erp
from tests.functions.databases.asking import CLOSED, REF, a_server, secrets
from tests.watched import mariadb, run_sql, speaking_to

JOB = "sync_accounts"
ONE = "2026-03-02T01:00+08:00"
NEXT = "2026-03-03T01:00+08:00"
_STEPS = "works in steps: a transaction an instance"
_FEW = "few rows: instances and their accounts, by nature"


def accounts(db: Connection) -> dict[str, Any]:
    return {row.username: row for row in db.execute(text("select * from belfry.db_instance_accounts order by username"))}


def changes(db: Connection) -> list[tuple[str, str]]:
    rows = db.execute(text("select username, change_type from belfry.db_account_changes order by id"))
    return [tuple(row) for row in rows]


def levels(db: Connection, rule: str) -> dict[str, str]:
    return {a["target_no"]: a["base_level"] for a in alerts(db) if a["rule_code"] == rule and a["status"] == "PENDING"}


@pytest.fixture
def watched(db: Connection) -> Iterator[str]:
    with a_server(db) as url:
        yield url


@pytest.fixture(scope="module")
def maria() -> Iterator[str]:
    with mariadb() as url:
        yield url


# ---------------------------------------------------------------- what every job promises
def _made(db: Connection) -> list[Any]:
    return [(a.username, a.is_active, a.privileges_hash, str(a.last_seen_at)) for a in accounts(db).values()] + changes(db)


def _unreadable(erp: Erp, day: date) -> str:
    erp.db_instance(credential_ref="nobody_set_this")
    return "DB_INSTANCE"


def _raised(erp: Erp, day: date) -> int:
    """The server's only account is a superuser; at the last look it was none."""
    return erp.db_instance_account(erp.db_instance(), username="belfry")


def _failed(erp: Erp, day: date) -> int:
    instance = erp.db_instance(credential_ref=CLOSED)
    erp.db_instance_check(instance, failed_on=day - timedelta(days=1))
    return instance


CASES = [
    RowsJob(
        JOB, clock="01:00", around=a_server, arrange=lambda erp, day: erp.db_instance(), made=_made, spoil=_unreadable,
        multiply=lambda db, target, n: None,
        reasons={
            "the_number_of_statements_does_not_depend_on_the_rows": _STEPS,
            "fifty_thousand_rows_are_done_within_the_jobs_timeout": _FEW,
        },
    ),
    AlertJob(
        JOB, "DB_PRIVILEGED_ACCOUNT", clock="01:00", around=a_server, violate=_raised, spoil=_unreadable,
        clear=lambda db, target: db.execute(text("delete from belfry.db_instance_accounts where false")),
        multiply=lambda db, target, n: None,
        reasons={
            "a_condition_that_clears_resolves_the_alert_without_a_message":
                "proved by test_the_alert_ends_when_the_account_is_no_superuser_any_more: the server must have another one",
            "a_rule_that_is_switched_off_says_nothing_and_touches_no_alert":
                "proved by test_the_rule_of_privileged_accounts_can_be_switched_off: one server is not an instance twice",
            "a_worse_level_upgrades_the_same_alert_and_tells_once": "one level: a new superuser is critical",
            "the_number_of_statements_does_not_depend_on_the_rows": _STEPS,
            "fifty_thousand_rows_are_done_within_the_jobs_timeout": _FEW,
            "the_business_day_begins_at_local_midnight": "no day: a superuser is told on whatever day it is",
        },
    ),
    AlertJob(
        JOB, "DB_ACCOUNT_SYNC_FAILED", ends="partial", clock="01:00", around=a_server, violate=_failed,
        clear=lambda db, target: db.execute(text("update belfry.db_instances set is_active = false")),
        multiply=lambda db, target, n: None,
        reasons={
            "a_worse_level_upgrades_the_same_alert_and_tells_once": "one level: an instance that was not read is a warning",
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done": _STEPS,
            "the_number_of_statements_does_not_depend_on_the_rows": _STEPS,
            "fifty_thousand_rows_are_done_within_the_jobs_timeout": _FEW,
            "the_business_day_begins_at_local_midnight":
                "proved by test_an_instance_that_fails_on_two_days_is_told: a second run of the same day is no second day",
        },
    ),
]  # fmt: skip


# ---------------------------------------------------------------- what is read
def test_the_accounts_of_a_postgres_are_read_with_what_they_may_do(watched: str, db: Connection, perform: Perform) -> None:
    run_sql(watched, "create role readers", "create role app login password 'geheim' createdb", "grant readers to app",
            "create role guest login valid until '2020-01-01'", "grant create on database shop to app")  # fmt: skip
    Erp(db).db_instance(name="pg")
    answer = perform(JOB, ONE)
    assert (answer["state"], answer["counters"]["added"]) == ("succeeded", 4)
    found = accounts(db)
    assert {name: (a.is_superuser, a.is_locked) for name, a in found.items()} == {
        "app": (False, False), "belfry": (True, False), "guest": (False, True), "readers": (False, True),
    }  # fmt: skip
    assert found["app"].privileges == {"*": ["CREATEDB", "LOGIN"], "database shop": ["CREATE"], "role": ["readers"]}
    assert len(found["app"].privileges_hash) == 64
    assert db.execute(text("select main_version from belfry.db_instances")).scalar_one().startswith("17")
    assert changes(db) == [(name, "ADD") for name in ("app", "belfry", "guest", "readers")]


def test_the_accounts_of_a_mariadb_are_read_with_what_they_may_do(maria: str, db: Connection, perform: Perform) -> None:
    with speaking_to(maria) as root:
        for statement in ("create database if not exists shop", "create user app@localhost identified by 'geheim' account lock",
                          "grant select, insert on shop.* to app@localhost", "create role reader", "grant reader to app@localhost"):  # fmt: skip
            root.exec_driver_sql(statement)
    Erp(db).db_instance(name="my", db_type="MYSQL", credential_ref="watched_mysql")
    with secrets(watched_mysql=maria):
        assert perform(JOB, ONE)["state"] == "succeeded"
        found = accounts(db)
        app, root_account = found["app@localhost"], found["root@localhost"]
        assert (app.is_superuser, app.is_locked) == (False, True)
        assert app.privileges == {"database shop": ["INSERT", "SELECT"], "role": ["reader"]}
        assert (root_account.is_superuser, root_account.is_locked) == (True, False)
        assert "GRANT OPTION" in root_account.privileges["*"]
        assert not [name for name in found if name.startswith("mariadb.sys")]
        assert "MariaDB" in db.execute(text("select main_version from belfry.db_instances")).scalar_one()
        with speaking_to(maria) as root:
            root.exec_driver_sql("grant super on *.* to app@localhost")
            root.exec_driver_sql("alter user app@localhost account unlock")
        assert perform(JOB, NEXT)["counters"]["modified"] == 1
    assert changes(db)[-1] == ("app@localhost", "MODIFY_PRIVILEGE")
    assert levels(db, "DB_PRIVILEGED_ACCOUNT") == {"my/app@localhost": "CRITICAL"}


def test_no_secret_is_kept_anywhere(watched: str, db: Connection, perform: Perform, caplog: Any) -> None:
    run_sql(watched, "create role app login password 'geheim'")
    Erp(db).db_instance(name="pg")
    perform(JOB, ONE)
    run_sql(watched, "alter role app password 'geheimer' createdb")
    perform(JOB, NEXT)
    kept = db.execute(text("select jsonb_agg(to_jsonb(a))::text from belfry.db_instance_accounts a")).scalar_one()
    logged = db.execute(text("select jsonb_agg(to_jsonb(c))::text from belfry.db_account_changes c")).scalar_one()
    for place in (kept, logged, caplog.text, json.dumps([dict(m) for m in messages(db)], default=str)):
        assert "geheim" not in place
        assert "SCRAM" not in place


# ---------------------------------------------------------------- what changes
def test_an_account_s_life_is_logged_once_a_change(watched: str, db: Connection, perform: Perform) -> None:
    instance = Erp(db).db_instance(name="pg")
    run_sql(watched, "create role app login")
    lives = [
        ([], []),
        ([], []),
        (["alter role app createdb"], [("app", "MODIFY_PRIVILEGE")]),
        (["alter role app valid until '2020-01-01'"], [("app", "MODIFY_OTHER")]),
        (["drop role app"], [("app", "DEACTIVATE")]),
        ([], []),
        (["create role app login"], [("app", "REACTIVATE")]),
        ([], []),
    ]
    for number, (statements, expected) in enumerate(lives):
        run_sql(watched, *statements)
        before = changes(db)
        assert perform(JOB, f"2026-03-{number + 2:02}T01:00+08:00")["state"] == "succeeded"
        if number:
            assert changes(db)[len(before):] == expected, number
    row = accounts(db)["app"]
    assert (row.is_active, row.deleted_at, str(row.first_seen_at)[:10], str(row.last_seen_at)[:10]) == (True, None, "2026-03-01", "2026-03-08")
    assert instance
    diffs = db.execute(text("select diff from belfry.db_account_changes where username = 'app' order by id")).scalars().all()
    assert (diffs[1]["granted"], diffs[1]["revoked"]) == (["*: CREATEDB"], [])
    assert diffs[3] == {"was_superuser": False}


def test_an_account_that_is_dropped_keeps_its_row(watched: str, db: Connection, perform: Perform) -> None:
    run_sql(watched, "create role app login")
    Erp(db).db_instance()
    perform(JOB, ONE)
    run_sql(watched, "drop role app")
    perform(JOB, NEXT)
    row = accounts(db)["app"]
    assert (row.is_active, row.last_change_type, str(row.deleted_at)[:16]) == (False, "DEACTIVATE", "2026-03-02 17:00")


def test_what_did_not_change_is_only_seen_again(watched: str, db: Connection, perform: Perform) -> None:
    Erp(db).db_instance()
    perform(JOB, ONE)
    before = {name: row._asdict() for name, row in accounts(db).items()}
    perform(JOB, NEXT)
    for name, row in accounts(db).items():
        assert {k for k, v in row._asdict().items() if before[name][k] != v} == {"last_seen_at"}


# ---------------------------------------------------------------- who does not answer
def test_an_instance_that_cannot_be_reached_deactivates_nobody(watched: str, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    bad, good = erp.db_instance(name="bad", credential_ref=CLOSED), erp.db_instance(name="good")
    erp.db_instance_account(bad, username="kept")
    answer = perform(JOB, ONE)
    assert (answer["state"], answer["counters"]["failed"], answer["counters"]["instances"]) == ("partial", 1, 1)
    assert accounts(db)["kept"].is_active
    assert [name for name, _ in changes(db)] == ["belfry"]
    assert good
    assert perform(JOB, ONE)["status"] == "duplicate"


def test_an_instance_that_shows_no_account_is_not_believed(watched: str, db: Connection, perform: Perform) -> None:
    """Somebody in front of it answers for it: nobody is deactivated."""
    run_sql(watched, "create view public.pg_roles as select * from pg_catalog.pg_roles where false",
            "alter role belfry set search_path = public, pg_catalog")  # fmt: skip
    erp = Erp(db)
    erp.db_instance_account(erp.db_instance(name="pg"), username="kept")
    assert perform(JOB, ONE)["state"] == "partial"
    assert accounts(db)["kept"].is_active
    error = db.execute(text("select error from belfry.execution_items where status = 'failed'")).scalar_one()
    assert error == "shows no account at all, not even ours"


def test_an_instance_that_fails_on_two_days_is_told(db: Connection, perform: Perform) -> None:
    Erp(db).db_instance(name="bad", credential_ref=CLOSED)
    with secrets():
        for at in (ONE, ONE, "2026-03-02T23:55+08:00"):
            perform(JOB, at, kind="manual")
            assert alerts(db) == []
        for at in ("2026-03-03T00:05+08:00", "2026-03-03T00:05+08:00"):
            perform(JOB, at, kind="manual")
    assert levels(db, "DB_ACCOUNT_SYNC_FAILED") == {"bad": "WARNING"}
    (alert,) = alerts(db)
    assert (alert["version"], alert["facts"]["failed_days"]) == (1, 2)


def test_the_run_is_closed_however_its_instances_ended(watched: str, db: Connection, perform: Perform) -> None:
    """Upstream called an undefined function at the end, so no session was ever closed (D-58)."""
    erp = Erp(db)
    for number, ref in enumerate((REF, CLOSED, "not_set")):
        erp.db_instance(name=f"i{number}", credential_ref=ref)
    perform(JOB, ONE)
    row = db.execute(text("select state, finished_at is not null as ended from belfry.job_executions where job_id = :j"), {"j": JOB}).one()
    assert row == ("partial", True)
    items = db.execute(text("""select item_key, status from belfry.execution_items where item_type = 'DB_INSTANCE' order by 1"""))
    assert items.all() == [("i0", "succeeded"), ("i1", "failed"), ("i2", "failed")]


def test_a_retry_does_not_ask_again_whom_it_has_written_down(watched: str, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    first, second = erp.db_instance(name="a"), erp.db_instance(name="b")
    db.execute(text(f"""create function fail() returns trigger language plpgsql as $$ begin
        if new.instance_id = {second} then raise exception 'no'; end if; return new; end $$"""))
    db.execute(text("create trigger fail before insert on belfry.db_instance_accounts for each row execute function fail()"))
    assert perform(JOB, ONE, params={"workers": 1})["state"] == "retry_wait"
    seen = accounts(db)
    db.execute(text("drop trigger fail on belfry.db_instance_accounts"))
    assert perform(JOB, ONE, now="2026-03-02T02:00+08:00")["state"] == "succeeded"
    steps = db.execute(text("select item_key, attempt from belfry.execution_items where item_key like 'instance:%' order by 1"))
    assert steps.all() == [(f"instance:{first}", 1), (f"instance:{second}", 2)]
    assert seen


# ---------------------------------------------------------------- superusers
@pytest.mark.parametrize("way", [
    ["create role eve superuser login"], ["create role eve login", "alter role eve superuser"],
])
def test_a_new_superuser_is_critical_at_once(way: list[str], watched: str, db: Connection, perform: Perform) -> None:
    Erp(db).db_instance(name="pg")
    perform(JOB, ONE)
    assert alerts(db) == [], "at the first look nobody is new"
    for number, statement in enumerate(way):
        run_sql(watched, statement)
        perform(JOB, f"2026-03-{number + 3:02}T01:00+08:00")
    assert levels(db, "DB_PRIVILEGED_ACCOUNT") == {"pg/eve": "CRITICAL"}
    told = [m for m in messages(db) if m["type"] == "DB_PRIVILEGED_ACCOUNT"]
    assert len(told) == 1


def test_the_alert_ends_when_the_account_is_no_superuser_any_more(watched: str, db: Connection, perform: Perform) -> None:
    Erp(db).db_instance(name="pg")
    perform(JOB, ONE)
    run_sql(watched, "create role eve superuser login", "create role adam superuser login")
    perform(JOB, NEXT)
    perform(JOB, "2026-03-04T01:00+08:00")
    assert len(levels(db, "DB_PRIVILEGED_ACCOUNT")) == 2, "it stays until somebody has handled it"
    run_sql(watched, "alter role eve nosuperuser", "drop role adam")
    perform(JOB, "2026-03-05T01:00+08:00")
    assert levels(db, "DB_PRIVILEGED_ACCOUNT") == {}


def test_an_alert_that_was_closed_by_hand_does_not_come_back(watched: str, db: Connection, perform: Perform) -> None:
    Erp(db).db_instance(name="pg")
    perform(JOB, ONE)
    run_sql(watched, "create role eve superuser login")
    perform(JOB, NEXT)
    db.execute(text("update belfry.alert_records set status = 'CLOSED'"))
    perform(JOB, "2026-03-04T01:00+08:00")
    assert levels(db, "DB_PRIVILEGED_ACCOUNT") == {}


def test_the_rule_of_privileged_accounts_can_be_switched_off(watched: str, db: Connection, perform: Perform) -> None:
    _raised(Erp(db), TODAY)
    db.execute(text("update belfry.alert_rules set is_enabled = false where rule_code = 'DB_PRIVILEGED_ACCOUNT'"))
    assert perform(JOB, ONE)["state"] == "succeeded"
    assert (alerts(db), changes(db)) == ([], [("belfry", "MODIFY_PRIVILEGE")])


def test_the_rule_of_failed_syncs_can_be_switched_off(db: Connection, perform: Perform) -> None:
    _failed(Erp(db), TODAY)
    db.execute(text("update belfry.alert_rules set is_enabled = false where rule_code = 'DB_ACCOUNT_SYNC_FAILED'"))
    with secrets():
        assert perform(JOB, ONE)["state"] == "partial"
    assert alerts(db) == []
