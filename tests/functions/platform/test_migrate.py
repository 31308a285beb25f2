"""Migrations as a function: forward only, one at a time, the same again is nothing."""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from scramp import ScramMechanism
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from infra.local.oidc import Signer
from infra.local.postgres import connection
from shared import config, db
from shared.errors import ConfigError
from shared.operator import migrating
from tests.conftest import load_function, request_to
from tests.processes import eventually, free_port

NEWEST = sorted(path.stem for path in (migrating.MIGRATIONS / "versions").glob("[0-9]*.py"))[-1]


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with nothing in it, which the function is told of."""
    server = os.environ["BELFRY_TEST_POSTGRES"]
    name = f"t_{uuid4().hex[:16]}"
    with connection(server) as admin:
        admin.run(f"create database {name}")
    url = server.rsplit("/", 1)[0] + "/" + name
    monkeypatch.setenv("DATABASE_URL", url)
    config.config.cache_clear()
    yield url
    db.forget_engine()
    config.config.cache_clear()
    with connection(server) as admin:
        admin.run(f"drop database {name} with (force)")


def migrate(body: Any = None, *, method: str = "POST", **headers: str) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, (bytes, dict)) else {}
    answer = load_function("migrate")(request_to(content, headers=headers, method=method))
    return answer.status_code, json.loads(answer.get_data())


def run(url: str, statement: str) -> list[Any]:
    with connection(url) as opened:
        return list(opened.run(statement) or [])


def role(described: str) -> None:
    """A role of the whole server, which other tests may have made already."""
    run(os.environ["BELFRY_TEST_POSTGRES"], f"""do $$ begin create role {described};
        exception when duplicate_object or unique_violation then null; end $$""")  # fmt: skip


def test_an_empty_database_gets_every_migration_in_order_and_the_second_time_none(empty: str) -> None:
    status, done = migrate()
    assert (status, done["from"], done["to"], done["newer"]) == (200, None, NEWEST, False)
    assert done["applied"] == sorted(done["applied"])
    assert done["applied"][-1] == NEWEST
    assert len(done["applied"]) == len(list((migrating.MIGRATIONS / "versions").glob("[0-9]*.py")))
    assert run(empty, "select count(*) from belfry.jobs") == [[0]]
    assert migrate() == (200, {"from": NEWEST, "to": NEWEST, "applied": [], "newer": False})


def test_a_revision_on_the_way_is_reached_and_the_rest_later(empty: str) -> None:
    assert migrate({"to": "0003_erp"})[1]["applied"] == ["0001_platform", "0002_alerting", "0003_erp"]
    assert migrate({"to": "0003_erp"})[1]["applied"] == []
    status, done = migrate()
    assert (status, done["from"], done["applied"][0]) == (200, "0003_erp", "0004_job_tables")


def test_nothing_is_taken_back(empty: str) -> None:
    migrate()
    status, refused = migrate({"to": "0003_erp"})
    assert (status, refused["error"]["code"], refused["error"]["allowed"]) == (409, "no_way_back", NEWEST)
    assert "nothing is taken back" in refused["error"]["message"]
    assert run(empty, "select version_num from public.belfry_schema_version") == [[NEWEST]]


def test_a_database_that_is_newer_than_this_code_is_left_alone(empty: str) -> None:
    migrate()
    run(empty, "update public.belfry_schema_version set version_num = '9999_of_tomorrow'")
    assert migrate() == (200, {"from": "9999_of_tomorrow", "to": "9999_of_tomorrow", "applied": [], "newer": True})
    assert migrate({"to": NEWEST})[0] == 409


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"to": "0003"}, 400, "unknown_revision"),
        ({"to": "head'; drop schema belfry"}, 400, "unknown_revision"),
        ({"to": 3}, 400, "invalid_field"),
        ({"down": True}, 400, "invalid_field"),
        ({"restored_to": "yesterday"}, 400, "invalid_field"),
        ({"restored_to": "2026-03-02T09:30:00"}, 400, "invalid_field"),
        ({"restored_to": "2026-03-02T09:30:00+08:00", "to": "0001_platform"}, 400, "invalid_field"),
        (b"[]", 400, "invalid_json"),
        (b"{" + b" " * 2000 + b"}", 413, "too_large"),
    ],
)
def test_what_is_no_revision_is_refused_and_nothing_happens(empty: str, body: Any, status: int, code: str) -> None:
    refused = migrate(body)
    assert (refused[0], refused[1]["error"]["code"]) == (status, code)
    assert run(empty, "select count(*) from pg_namespace where nspname = 'belfry'") == [[0]]


def test_two_at_once_go_one_after_the_other(empty: str) -> None:
    found: list[migrating.Migrated] = []
    threads = [threading.Thread(target=lambda: found.append(migrating.migrate(empty))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted((done.before is None, bool(done.applied)) for done in found) == [(False, False), (True, True)]


def test_another_process_that_migrates_is_waited_for(empty: str) -> None:
    with connection(empty) as other:
        other.run("begin")
        other.run("select pg_advisory_xact_lock(hashtext('belfry.migrate'))")
        done: list[Any] = []
        thread = threading.Thread(target=lambda: done.append(migrate()))
        thread.start()
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        eventually(lambda: run(empty, waiting)[0][0], "it waits for its turn")
        assert run(empty, "select count(*) from pg_namespace where nspname = 'belfry'") == [[0]]
        other.run("commit")
        thread.join(60)
    assert done[0][0] == 200


def test_a_lock_that_others_hold_is_waited_for(empty: str) -> None:
    migrate({"to": "0001_platform"})
    waiting = "select count(*) from pg_locks where not granted"
    with connection(empty) as holder:
        holder.run("begin")
        holder.run("lock table belfry.job_executions in access share mode")
        holder.run("lock table belfry.jobs in row exclusive mode")
        done: list[Any] = []
        thread = threading.Thread(target=lambda: done.append(migrate()))
        thread.start()
        eventually(lambda: run(empty, waiting)[0][0] or done, "the migration waits or is done")
        holder.run("commit")
        thread.join(60)
    assert (done[0][0], done[0][1]["to"]) == (200, NEWEST)


def test_a_migration_that_fails_leaves_nothing_and_says_what_postgres_said(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate({"to": "0002_alerting"})
    run(empty, "create schema erp")
    status, told = migrate()
    assert (status, told["error"]["code"]) == (500, "migration_failed")
    assert told["error"]["message"] == '42P06: schema "erp" already exists'
    assert run(empty, "select version_num from public.belfry_schema_version") == [["0002_alerting"]]


def test_a_database_out_of_reach_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://belfry:s3cret-value@127.0.0.1:{free_port()}/nowhere")
    config.config.cache_clear()
    status, told = migrate()
    assert (status, told["error"]["code"]) == (503, "unavailable")
    assert "s3cret" not in json.dumps(told)
    config.config.cache_clear()


def test_only_an_engineer_migrates(empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer(tmp_path / "oidc")
    monkeypatch.setenv("BELFRY_OIDC_CERT", str(signer.public_key))
    config.config.cache_clear()
    audience = "http://127.0.0.1:8080/functions/migrate"

    def told(account: str, audience: str = audience) -> int:
        token = signer.token(audience, f"{account}@belfry-local.iam.gserviceaccount.com")
        return migrate(Authorization=f"Bearer {token}")[0]

    assert migrate(method="GET")[0] == 405
    assert migrate(Authorization="Bearer a.b.c")[0] == 401
    assert told("scheduler") == 403  # Cloud Scheduler may not, locally either
    assert told("pubsub") == 403
    assert told("stranger") == 403
    assert told("belfry", "http://127.0.0.1:8080/functions/sweep_runs") == 403
    assert run(empty, "select count(*) from pg_namespace where nspname = 'belfry'") == [[0]]
    assert told("belfry") == 200


def test_functions_may_read_and_write_what_the_migrator_made_and_not_change_it(empty: str) -> None:
    role(f"{migrating.APP_ROLE} login")
    assert migrate()[0] == 200
    app = db.new_engine(empty.replace("belfry@", f"{migrating.APP_ROLE}@"), socket_timeout=20)
    with app.connect() as connection:
        assert connection.execute(text("select current_user")).scalar_one() == migrating.APP_ROLE
        connection.execute(text("insert into belfry.audit_log (actor, action, target) values ('a', 'b', 'c')"))
        assert connection.execute(text("select count(*) from erp.users")).scalar_one() == 0
        with pytest.raises(DBAPIError) as refused:
            connection.execute(text("drop table belfry.audit_log"))
        assert db.sqlstate(refused.value) == "42501"
    app.dispose()


def test_the_functions_role_gets_its_password_and_postgres_only_a_proof_of_it(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for password in ("what functions log in with", "and from tomorrow"):
        monkeypatch.setenv("DATABASE_APP_PASSWORD", password)
        assert migrate()[0] == 200
        ((login, kept, groups),) = run(empty, f"""select r.rolcanlogin, r.rolpassword,
            array(select roleid::regrole::text from pg_auth_members where member = r.oid)
            from pg_authid r where r.rolname = '{migrating.APP_ROLE}'""")  # fmt: skip
        assert (login, groups) == (True, [])
        found = re.fullmatch(r"SCRAM-SHA-256\$(\d+):(.+)\$(.+):(.+)", kept)
        assert found, kept
        rounds, salt, stored, server = found.groups()
        proof = ScramMechanism("SCRAM-SHA-256").make_auth_info(password, int(rounds), base64.b64decode(salt))
        assert proof[1:3] == (base64.b64decode(stored), base64.b64decode(server))


@pytest.mark.parametrize("password", [None, "", " CANARY-7f3"])
def test_in_the_cloud_it_does_not_begin_without_a_password_to_give(
    empty: str, monkeypatch: pytest.MonkeyPatch, password: str | None
) -> None:
    assert config.app_password() is None  # locally everybody is who they say they are
    if password is not None:
        monkeypatch.setenv("DATABASE_APP_PASSWORD", password)
    monkeypatch.delenv("BELFRY_LOCAL_CLOCK", raising=False)
    for name in ("K_SERVICE", "BELFRY_CALLERS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.setenv(name, "migrate")
    monkeypatch.setenv("BELFRY_AUDIENCE", "https://migrate.run.app")
    config.config.cache_clear()
    with pytest.raises(ConfigError, match="DATABASE_APP_PASSWORD must be set") as refused:
        config.app_password()
    assert "CANARY" not in str(refused.value)


def test_nobody_needs_to_be_a_superuser_and_what_the_company_made_in_erp_stays_the_company_s(empty: str) -> None:
    for one in (f"{migrating.APP_ROLE} login", "belfry_migrator login createrole", "company"):
        role(one)
    run(empty, f"grant {migrating.APP_ROLE} to belfry_migrator with admin option")  # as whoever makes a role has it
    run(empty, f"alter database {empty.rpartition('/')[2]} owner to belfry_migrator")
    as_migrator = empty.replace("belfry@", "belfry_migrator@")
    assert migrating.migrate(as_migrator).after == NEWEST
    run(empty, "create view erp.company_own as select 1 as id; alter view erp.company_own owner to company")
    migrating.grant(as_migrator, "what functions log in with")
    may = f"""select has_table_privilege('{migrating.APP_ROLE}', 'erp.company_own', 'select'),
        has_table_privilege('{migrating.APP_ROLE}', 'erp.users', 'select')"""
    assert run(empty, may) == [[False, True]]


def test_functions_make_and_drop_the_months_of_a_table_and_nothing_else_of_it(empty: str) -> None:
    role(f"{migrating.APP_ROLE} login")
    assert migrate()[0] == 200
    app = db.new_engine(empty.replace("belfry@", f"{migrating.APP_ROLE}@"), socket_timeout=20)
    with app.connect() as connection:
        month = "belfry.database_size_stats_2031_05"
        made = text("select outcome from belfry.make_partition('belfry.database_size_stats', date '2031-05-07')")
        assert [connection.execute(made).scalar_one() for _ in range(2)] == ["created", "exists"]
        for refused in (f"drop table {month}", "alter table belfry.database_size_stats add column x int"):
            with pytest.raises(DBAPIError) as error:
                connection.execute(text(refused))
            assert db.sqlstate(error.value) == "42501"
        connection.execute(text("select set_config('belfry.now', '2031-07-01T00:00:00Z', false)"))
        connection.execute(text(f"select belfry.detach_partition('{month}')"))
        connection.execute(text(f"""insert into belfry.partition_registry (parent_table, partition_name, range_start,
            range_end, status, detached_at, checked_at) values ('belfry.database_size_stats', '{month}', '2031-05-01',
            '2031-06-01', 'DETACHED', '2031-06-01', now())"""))  # fmt: skip
        drop = text(f"select belfry.drop_partition('{month}', interval '7 days')")
        assert connection.execute(drop).scalar_one() is True
    app.dispose()


def test_the_registry_knows_it_as_a_function_that_nothing_fires() -> None:
    from infra.local import topology
    from shared.cronfile.loading import load

    file = load(Path(__file__).parents[3] / "cron.yaml")
    assert "migrate" not in file.jobs
    assert topology.push(file.functions["migrate"], "http://127.0.0.1:8080") is None


def test_an_engineer_says_through_it_that_the_database_was_restored(empty: str) -> None:
    migrate()
    ((now,),) = run(empty, "select clock_timestamp() - interval '1 hour'")
    status, told = migrate({"restored_to": now.isoformat()})
    assert (status, told["to"], told["held"]) == (200, now.isoformat(), {})
    assert run(empty, "select value ->> 'to' from belfry.biz_config where key = 'restored'") == [[now.isoformat()]]
    assert migrate({"restored_to": "2020-01-01T00:00:00+08:00"})[0] == 400
