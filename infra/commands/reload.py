"""`reload`: make the jobs table and Cloud Scheduler equal to cron.yaml; prints its plan first."""

import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.commands.outcome import BadInputError, parser
from infra.commands.running import database
from shared import reload, scheduler_api
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFileError
from shared.reload import InvalidReload

CRON_FILE = Path(__file__).parents[2] / "cron.yaml"


def main(argv: Sequence[str]) -> int:
    asked = parser("reload", __doc__)
    asked.add_argument("--dry-run", action="store_true", help="print the plan, change nothing")
    asked.add_argument("--reset-overrides", action="store_true", help="drop what operators changed")
    options = asked.parse_args(argv)
    try:
        file = load(CRON_FILE)
    except CronFileError as error:
        raise BadInputError(str(error)) from None
    with database(options.home) as connection, scheduler_api.connect() as live:
        plan = reload.plan(connection, file, live, reset_overrides=options.reset_overrides)
        if not options.json:
            for word in ("added", "updated", "removed", "unchanged", "invalid"):
                named = [getattr(one, "job_id", None) or str(one) for one in getattr(plan, word)]
                print(f"{word:<10}{len(named):>4}  {', '.join(named) if word != 'unchanged' else ''}".rstrip())
        if not options.dry_run:
            try:
                plan = reload.apply(
                    connection, file, live, actor=getpass.getuser(), reset_overrides=options.reset_overrides
                )
            except InvalidReload as error:
                print(error, file=sys.stderr)
                plan = error.plan
    print(json.dumps(plan.as_dict(), ensure_ascii=False))
    return 2 if plan.invalid else 0
