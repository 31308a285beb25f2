"""`python -m infra replay`: counts first, exit codes that say whose turn it is, and the same end however often it is asked."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from infra.__main__ import main
from infra.local.home import Home
from shared import schedule
from tests.processes import eventually, free_port
from tests.rows import rows
from tests.shared.operator.test_replay import Ledger, World

ROOT = Path(__file__).resolve().parents[2]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
QUIET = pytest.mark.filterwarnings("ignore:The return_immediately flag")


class Operator:
    """Somebody at a shell, beside a local cloud that is up."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "infra", "replay", "--home", str(self.home), *arguments]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)

    def asks(self, *arguments: str) -> tuple[int, dict[str, Any], str]:
        """Exit code, the JSON line or {}, stderr."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=60)
        lines = out.splitlines()
        return process.returncode, json.loads(lines[-1]) if lines else {}, err


@pytest.fixture
def ledger(db: Connection) -> Ledger:
    return Ledger(db)


@pytest.fixture
def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with World.opened(monkeypatch) as made:
        yield made


def at_home(folder: Path, **environment: str) -> Operator:
    folder.mkdir()
    Home(folder).write_environment({"GOOGLE_CLOUD_PROJECT": "belfry-local", **environment})
    return Operator(folder)


@pytest.fixture
def operator(tmp_path: Path, world: World, database_url: str) -> Operator:
    address = os.environ["PUBSUB_EMULATOR_HOST"]
    return at_home(tmp_path / "home", DATABASE_URL=database_url, PUBSUB_EMULATOR_HOST=address)


def ago(time: timedelta) -> str:
    return (schedule.now() - time).isoformat()


@QUIET
def test_it_counts_unless_told_to_apply_and_brings_everything_again_when_it_is(
    operator: Operator, world: World, ledger: Ledger, db: Connection
) -> None:
    for channel in ("system", "email"):
        ledger.row(channel)
        world.publish(channel, channel)
        assert world.heard(f"notify-{channel}") == [channel]
    before = rows(db)
    code, counted, _ = operator.asks("--since", ago(DAY))
    assert (code, counted["applied"], counted["matches"], counted["already_sent"]) == (0, False, 2, 2)
    assert counted["counts"] == {"email": {"sent": 1}, "system": {"sent": 1}}
    assert rows(db) == before
    for _ in range(2):
        code, done, _ = operator.asks("--since", ago(DAY), "--apply", "--json")
        assert (code, done["applied"], done["subscriptions"]) == (0, True, ["notify-system", "notify-email"])
        assert [world.heard(f"notify-{channel}") for channel in ("system", "email")] == [["system"], ["email"]]
    assert rows(db, without=["audit_log"]) == {name: seen for name, seen in before.items() if name != "audit_log"}
    code, done, _ = operator.asks("--since", ago(DAY), "--subscription", "notify-email", "--apply")
    assert (code, done["matches"], world.heard("notify-email"), world.heard("notify-system")) == (0, 1, ["email"], [])


def test_people_read_a_table_and_programs_its_last_line(operator: Operator, ledger: Ledger) -> None:
    ledger.row("email")
    ledger.row("email", "dead", reason="ladder")
    with operator.start("--since", ago(DAY), "--channel", "email") as process:
        out, _ = process.communicate(timeout=60)
    assert out.splitlines()[:3] == [
        "email       dead 1  sent 1",
        "looked at again 2, may go out 0, sent once more 0, stay as they are 2 (already sent 1)",
        "nothing was changed; --apply does it",
    ]
    assert json.loads(out.splitlines()[3])["matches"] == 2


def test_one_delivery_and_one_execution(operator: Operator, ledger: Ledger) -> None:
    execution = str(uuid4())
    dead, sent = ledger.row(state="dead", reason="ladder"), ledger.row(state="sent", execution_id=execution)
    queued = ledger.row(state="queued", execution_id=execution)
    for _ in range(2):
        assert operator.asks("--delivery", str(dead), "--apply")[0] == 0
        assert ledger.of(dead).state == "queued"
    code, done, _ = operator.asks("--execution", execution, "--since", ago(DAY), "--apply")
    assert (code, done["matches"], done["to_send"], done["unchanged"]) == (0, 2, 1, 1)
    assert set(ledger.announced()) == {dead, queued}
    code, done, _ = operator.asks("--delivery", str(sent), "--resend", "--reason", "客户没收到", "--apply")
    assert (code, done["resend"]) == (0, 1)
    assert ledger.generations(sent) == [(0, "sent"), (1, "queued")]
    assert ledger.audit()[-1][1:] == ("replay.delivery.resend", str(sent), "客户没收到")


def test_nothing_that_matches_is_exit_3(operator: Operator, ledger: Ledger) -> None:
    ledger.row(age=2 * DAY)
    for arguments in (
        ["--since", ago(DAY)],
        ["--delivery", "99"],
        ["--execution", str(uuid4())],
        ["--since", ago(3 * DAY), "--channel", "system"],
    ):
        for apply in ([], ["--apply"]):
            assert operator.asks(*arguments, *apply) == (3, {}, "nothing matches\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--since"),
        (["--since", ""], "--since"),
        (["--since", "yesterday"], "--since"),
        (["--since", "2026-03-02T09:00"], "--since"),
        (["--since", "2026-13-40T00:00Z"], "--since"),
        (["--since", "{day}", "--until", "2026-03-02T09:00"], "--until"),
        (["--since", "{hour}", "--until", "{day}"], "--until"),
        (["--since", "{month}"], "--since"),
        (["--since", "{month}", "--until", "{hour}"], "--since"),
        (["--since", "{tomorrow}"], "--since"),
        (["--since", "{hour}", "--until", "{tomorrow}"], "--until"),
        (["--until", "{hour}"], "--since"),
        (["--since", "{hour}", "--channel", "fax"], "--channel"),
        (["--since", "{hour}", "--subscription", "notify-fax"], "--subscription"),
        (["--since", "{hour}", "--subscription", "projects/other/subscriptions/notify-email"], "--subscription"),
        (["--since", "{hour}", "--channel", "email", "--subscription", "notify-email"], "--subscription"),
        (["--snapshot", "projects/other/snapshots/before-release"], "--snapshot"),
        (["--since", "{hour}", "--snapshot", "before-release"], "--snapshot"),
        (["--execution", "17"], "--execution"),
        (["--delivery", "x"], "--delivery"),
        (["--delivery", "0"], "--delivery"),
        (["--delivery", "1", "--execution", "00000000-0000-0000-0000-000000000001"], "--execution"),
        (["--delivery", "1", "--resend"], "--reason"),
        (["--since", "{hour}", "--resend", "--reason", "  "], "--reason"),
        (["--delivery", "1", "--resend", "--reason", "x" * 501], "--reason"),
        (["--delivery", "1", "--reason", "\udcff"], "--reason"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_input_is_exit_2_naming_the_argument_before_anything_is_reached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    times = {"hour": ago(HOUR), "day": ago(DAY), "month": ago(31 * DAY + HOUR), "tomorrow": ago(-DAY)}
    # No cloud was ever here: were it asked for first, this would be exit 4.
    given = ["replay", "--home", str(tmp_path), *(each.format(**times) for each in arguments), "--apply"]
    try:
        code = main(given)
    except SystemExit as end:  # argparse's own way
        code = int(end.code or 0)
    told = capsys.readouterr()
    assert (code, told.out) == (2, "")
    assert named in told.err.splitlines()[-1]


def test_what_pubsub_does_not_know_is_bad_input_too(operator: Operator, ledger: Ledger, db: Connection) -> None:
    ledger.row()
    before = rows(db)
    for arguments, named in (
        (["--snapshot", "nowhere"], "--snapshot"),
        (["--since", ago(HOUR), "--channel", "wechat"], "--channel"),
        (["--since", ago(HOUR), "--subscription", "notify-sms"], "--subscription"),
    ):
        code, told, err = operator.asks(*arguments, "--apply")
        assert (code, told) == (2, {})
        assert err.startswith(named)
        assert len(err.splitlines()) == 1
    assert rows(db) == before


@QUIET
def test_a_database_that_is_down_is_exit_4_and_nothing_comes_again(tmp_path: Path, world: World) -> None:
    world.publish("email", "e1")
    assert world.heard("notify-email") == ["e1"]
    address = os.environ["PUBSUB_EMULATOR_HOST"]
    nobody = f"postgresql://belfry@127.0.0.1:{free_port()}/belfry"
    operator = at_home(tmp_path / "home", DATABASE_URL=nobody, PUBSUB_EMULATOR_HOST=address)
    for arguments in (["--since", ago(DAY)], ["--delivery", "1"]):
        code, told, err = operator.asks(*arguments, "--apply")
        assert (code, told, len(err.splitlines())) == (4, {}, 1)
    assert world.heard("notify-email") == []


def test_a_pubsub_that_is_down_is_exit_4_and_no_row_is_touched(
    tmp_path: Path, database_url: str, ledger: Ledger, db: Connection
) -> None:
    ledger.row()
    address = f"127.0.0.1:{free_port()}"
    operator = at_home(tmp_path / "home", DATABASE_URL=database_url, PUBSUB_EMULATOR_HOST=address)
    before = rows(db)
    code, told, err = operator.asks("--since", ago(DAY), "--resend", "--reason", "x", "--apply")
    assert (code, told, len(err.splitlines())) == (4, {}, 1)
    assert rows(db) == before


@QUIET
def test_broken_off_in_the_middle_and_asked_again_it_ends_the_same(
    operator: Operator, world: World, ledger: Ledger, db: Connection
) -> None:
    sent = [ledger.row(channel) for channel in ("system", "email")]
    world.publish("email", "e1")
    world.heard("notify-email")
    before = rows(db)
    arguments = ["--since", ago(DAY), "--resend", "--reason", "x", "--apply"]
    db.exec_driver_sql("begin")
    db.exec_driver_sql("lock table belfry.audit_log in exclusive mode")  # its last statement before the commit
    with operator.start(*arguments) as process:
        waiting = text("select count(*) from pg_locks where not granted and relation = 'belfry.audit_log'::regclass")
        eventually(lambda: db.execute(waiting).scalar_one() or process.poll() is not None, "it waits for the audit log")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "broken off; the same command again ends what is left\n"
    db.exec_driver_sql("rollback")
    assert rows(db) == before
    assert world.heard("notify-email") == []
    for resent in (2, 0):
        code, done, _ = operator.asks(*arguments)
        assert (code, done["resend"], done["applied"]) == (0, resent, True)
        assert world.heard("notify-email") == ["e1"]
    assert [ledger.generations(each) for each in sent] == [[(0, "sent"), (1, "queued")]] * 2
