"""Is cron.yaml right? Prints every error and warning with its line and column; exit 2 when it is not."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.commands.outcome import parser
from shared import schedule
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFileError

ROOT = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str] | None = None) -> int:
    asked = parser("check", __doc__)
    asked.add_argument("file", nargs="?", type=Path, default=ROOT / "cron.yaml", help="the file to judge")
    asked.add_argument("--without-sources", action="store_true", help="do not look for the functions' own files")
    options = asked.parse_args(argv)
    sources = None if options.without_sources else options.file.resolve().parent
    try:
        file = load(options.file, sources=sources, at=schedule.now(), workdays_until=schedule.WORKDAYS_UNTIL)
        errors, warnings = [], [str(warning) for warning in file.warnings]
        counts = {"jobs": len(file.jobs), "functions": len(file.functions)}
    except CronFileError as wrong:
        errors, warnings, counts = [str(error) for error in wrong.errors], [], {}
    if not options.json:
        for line in errors:
            print(f"error   {line}", file=sys.stderr)
        for line in warnings:
            print(f"warning {line}", file=sys.stderr)
    print(json.dumps({"ok": not errors, **counts, "errors": errors, "warnings": warnings}, ensure_ascii=False))
    return 2 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
