"""`doctor`: does every function load, is everything registered, what fires next, and which jobs can this ERP feed?

Exit 0: all well; 1: something is missing, and which; 4: a service does not answer. `--database URL` looks at the erp
schema of any database instead, before Belfry runs there.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from infra.commands.outcome import BadInputError, OutOfReachError, parser
from infra.commands.running import database
from infra.contract import Contract, Verdict, judged
from shared import db, scheduler_api
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFile, CronFileError
from shared.errors import Unavailable
from shared.operator import reload

ROOT = Path(__file__).parents[2]


def main(argv: Sequence[str]) -> int:
    asked = parser("doctor", __doc__)
    asked.add_argument(
        "--database", metavar="URL", help="only compare the erp schema of this database with the contract"
    )
    asked.add_argument("--schema", default="erp", help="the schema that is compared (default: %(default)s)")
    options = asked.parse_args(argv)
    try:
        file = load(ROOT / "cron.yaml")
    except CronFileError as error:
        raise BadInputError(str(error)) from None
    if options.database:
        with _elsewhere(options.database) as connection:
            found: dict[str, Any] = {"erp": _erp(connection, file, options.schema)}
    else:
        with database(options.home) as connection:
            found = _everything(connection, file, options.schema)
    found["ok"] = not (complaints := list(_complaints(found)))
    if not options.json:
        _print(found, complaints)
    print(json.dumps(found, ensure_ascii=False, default=str))
    return 0 if found["ok"] else 1


def _everything(connection: Connection, file: CronFile, schema: str) -> dict[str, Any]:
    try:
        with scheduler_api.connect() as live:
            plan, rings = reload.plan(connection, file, live).as_dict(), live.all()
        subscriptions = _subscriptions(file)
    except Unavailable as error:
        raise OutOfReachError(f"Cloud Scheduler does not answer ({error}); is the cloud up?") from error
    return {
        "functions": _functions(),
        "registered": {word: plan[word] for word in ("added", "updated", "removed", "invalid")},
        "subscriptions": subscriptions,
        "next": {ring.job_id: ring.next_at for ring in rings.values() if not ring.paused and ring.next_at},
        "erp": _erp(connection, file, schema),
    }


def _functions() -> dict[str, str | None]:
    """What keeps each function from being served, by functions-framework in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    loading = [sys.executable, "-m", "infra.loading"]
    made = subprocess.run(loading, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        return {"functions-framework": made.stderr.strip().rpartition("\n")[2]}
    loaded: dict[str, str | None] = json.loads(made.stdout.splitlines()[-1])
    return loaded


def _subscriptions(file: CronFile) -> dict[str, str | None]:
    """What is wrong with each push subscription; none: it is as expected."""
    import grpc
    from google.api_core.exceptions import GoogleAPICallError, NotFound
    from google.pubsub_v1 import SubscriberClient
    from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

    from infra.local import topology

    url = os.environ["BELFRY_URL"]
    wanted = [push for function in file.functions.values() if (push := topology.push(function, url))]
    found: dict[str, str | None] = {}
    with grpc.insecure_channel(os.environ["PUBSUB_EMULATOR_HOST"]) as channel:
        client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        for one in [topology.dead_letters(), *wanted]:
            name = one.name.rpartition("/")[2]
            try:
                there = client.get_subscription(subscription=one.name, timeout=10.0)
            except NotFound:
                found[name] = "is not there"
                continue
            except GoogleAPICallError as error:
                raise OutOfReachError(f"Pub/Sub does not answer ({type(error).__name__}); is the cloud up?") from error
            pairs = {
                "topic": (there.topic, one.topic),
                "filter": (there.filter, one.filter),
                "endpoint": (there.push_config.push_endpoint, one.push_config.push_endpoint),
            }
            wrong = [
                f"{what} is {is_!r}, {shall!r} is expected" for what, (is_, shall) in pairs.items() if is_ != shall
            ]
            found[name] = "; ".join(wrong) or None
    return found


@contextmanager
def _elsewhere(url: str) -> Iterator[Connection]:
    if not url.startswith(("postgresql://", "postgres://")):
        raise BadInputError("--database: postgresql://user:password@host:port/database is allowed")
    engine = db.new_engine(url, socket_timeout=30.0)
    try:
        try:
            connection = engine.connect()
        except SQLAlchemyError as error:
            raise OutOfReachError(f"--database lets nobody in ({type(error).__name__})") from None
        with connection:
            yield connection
    finally:
        engine.dispose()


def _erp(connection: Connection, file: CronFile, schema: str) -> dict[str, dict[str, Any]]:
    contract = Contract(connection, schema)
    if contract.empty:
        raise BadInputError(f"--schema {schema}: there is no table or view in it that this user may see")
    verdicts: Sequence[Verdict] = judged(contract, file.jobs.values())
    return {verdict.job_id: verdict.as_dict() for verdict in verdicts}


def _complaints(found: Mapping[str, Any]) -> Sequence[str]:
    said = [f"{name} does not load: {error}" for name, error in found.get("functions", {}).items() if error]
    for word, entries in found.get("registered", {}).items():
        said += [f"{_name(entry)}: a reload would say {word}" for entry in entries]
    said += [f"subscription {name}: {wrong}" for name, wrong in found.get("subscriptions", {}).items() if wrong]
    said += [f"{job}: {verdict['verdict']}" for job, verdict in found["erp"].items() if verdict["verdict"] != "runs"]
    return said


def _name(entry: Any) -> str:
    return str(entry["job_id"] if isinstance(entry, dict) else entry)


def _print(found: Mapping[str, Any], complaints: Sequence[str]) -> None:
    if "functions" in found:
        loads = [error is None for error in found["functions"].values()]
        print(f"functions      {sum(loads)} of {len(loads)} load")
        good = [wrong is None for wrong in found["subscriptions"].values()]
        print(f"subscriptions  {sum(good)} of {len(good)} as expected")
        for job, at in sorted(found["next"].items(), key=lambda item: item[1]):
            print(f"  {_local(at)}  {job}")
    print("erp")
    for job, verdict in found["erp"].items():
        lacks = [*verdict["missing"], *verdict["read_only"]]
        print(f"  {job:<38} {verdict['verdict']}{': ' if lacks else ''}{', '.join(lacks)}")
    for complaint in complaints:
        print(complaint, file=sys.stderr)


def _local(at: datetime) -> str:
    return at.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%m-%d %H:%M")
