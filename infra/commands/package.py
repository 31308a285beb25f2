"""`package`: build every function's deployment archive, and archives.json, which Terraform reads."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from infra import archive
from infra.commands.outcome import BadInputError, parser
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFileError

INTO = archive.ROOT / "infra" / ".build"


def main(argv: Sequence[str]) -> int:
    asked = parser("package", __doc__)
    asked.add_argument("--into", type=Path, default=INTO, help="folder to write into (default: infra/.build)")
    options = asked.parse_args(argv)
    made = package(options.into)
    print(json.dumps({"into": str(options.into), "archives": len(made)}))
    return 0


def package(into: Path) -> dict[str, str]:
    """Write the archives and archives.json; function -> file name. What no function names any more is removed.

    Raises BadInputError when cron.yaml is not right.
    """
    if sys.version_info[:2] != (3, 11):
        print("warning: functions run on Python 3.11; archives made by another start slowly", file=sys.stderr)
    try:
        file = load(archive.ROOT / "cron.yaml", sources=archive.ROOT)
    except CronFileError as wrong:
        raise BadInputError(str(wrong)) from None
    try:
        made = archive.build_all([*file.functions, *file.jobs], into)
    except SyntaxError as wrong:
        raise BadInputError(str(wrong)) from None
    (into / "archives.json").write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", "utf-8")
    for old in set(into.glob("*.zip")) - {into / name for name in made.values()}:
        old.unlink()
    return made
