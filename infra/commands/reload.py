"""`reload`: make the jobs table and Cloud Scheduler equal to cron.yaml; prints its plan first.

On the local cloud that is up, or with --console through a deployed console, as whoever calls.
"""

import getpass
import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from infra.commands.deployed import Deployed, add_identity
from infra.commands.outcome import BadInputError, OutOfReachError, parser
from infra.commands.running import database
from shared import scheduler_api
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFile, CronFileError
from shared.errors import Unavailable
from shared.operator import reload
from shared.operator.reload import InvalidReload

CRON_FILE = Path(__file__).parents[2] / "cron.yaml"
EVERY = 25  # jobs between two lines of progress


def main(argv: Sequence[str]) -> int:
    asked = parser("reload", __doc__)
    asked.add_argument("--dry-run", action="store_true", help="print the plan, change nothing")
    asked.add_argument("--reset-overrides", action="store_true", help="drop what operators changed")
    asked.add_argument("--reason", metavar="TEXT", help="why; goes to the audit log")
    asked.add_argument("--console", metavar="URL", help="through this console instead of the local cloud")
    asked.add_argument("--targets", metavar="FILE", type=Path, help="where functions listen: Terraform's function_uris")
    add_identity(asked)
    options = asked.parse_args(argv)
    try:
        file = load(CRON_FILE)
    except CronFileError as error:
        raise BadInputError(str(error)) from None
    if options.targets and not options.console:
        raise BadInputError("--targets: is allowed with --console URL; locally functions listen where the gateway is")
    plan = _through_console(options) if options.console else _locally(options, file)
    print(json.dumps(plan, ensure_ascii=False))
    return 2 if plan["invalid"] else 0


def _locally(options: Namespace, file: CronFile) -> dict[str, Any]:
    try:
        with database(options.home) as connection, scheduler_api.connect() as live:
            plan = reload.plan(connection, file, live, reset_overrides=options.reset_overrides)
            _tell(plan.as_dict(), options)
            if options.dry_run:
                return plan.as_dict()
            try:
                return reload.apply(
                    connection,
                    file,
                    live,
                    actor=getpass.getuser(),
                    reason=options.reason,
                    reset_overrides=options.reset_overrides,
                    progress=None if options.json else _progress,
                ).as_dict()
            except InvalidReload as error:
                print(error, file=sys.stderr)
                return error.plan.as_dict()
    except Unavailable as error:
        raise OutOfReachError(f"{error}; the same command again does what is left") from error


def _through_console(options: Namespace) -> dict[str, Any]:
    """First the plan, then the doing; the console refuses when its cron.yaml is not this one."""
    console = Deployed(options.console, options.account, options.audience)
    asked: dict[str, Any] = {
        "reset_overrides": options.reset_overrides,
        "cron_sha256": sha256(CRON_FILE.read_bytes()).hexdigest(),
        **({"targets": _targets(options.targets)} if options.targets else {}),
        **({"reason": options.reason} if options.reason else {}),
    }
    plan = console.post("/api/v1/jobs/reload", {**asked, "dry_run": True})
    _tell(plan, options)
    for one in plan["invalid"]:
        print(f"{one['job_id']}: {one['message']}", file=sys.stderr)
    if options.dry_run or plan["invalid"]:
        return plan
    return console.post("/api/v1/jobs/reload", asked)


def _targets(file: Path) -> dict[str, str]:
    """Function ids to URLs, as `terraform output -json function_uris` prints them."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not found or not all(isinstance(uri, str) for uri in found.values()):
        raise BadInputError(f"--targets {file}: a JSON object of function ids and their URLs is allowed")
    return found


def _tell(plan: Mapping[str, Any], options: Namespace) -> None:
    if options.json:
        return
    for word in ("added", "updated", "removed", "unchanged", "invalid"):
        named = [one["job_id"] if isinstance(one, dict) else one for one in plan[word]]
        print(f"{word:<10}{len(named):>4}  {', '.join(named) if word != 'unchanged' else ''}".rstrip())


def _progress(done: int, of: int, job_id: str) -> None:
    if done % EVERY == 0 or done == of:
        print(f"Cloud Scheduler {done}/{of}  {job_id}", file=sys.stderr)
