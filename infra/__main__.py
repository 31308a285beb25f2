"""The operator's command: `python -m infra <command>`, each with --help."""

import importlib
import sys
from collections.abc import Sequence

from infra.commands.outcome import BadInputError, NothingToDoError, OutOfReachError

COMMANDS = {
    "up": ("infra.commands.up", "run the whole of Belfry on this machine"),
    "tick": ("infra.commands.tick", "one tick of a job, on the cloud that is up"),
    "day": ("infra.commands.day", "one whole day of every job, on a clock of its own"),
    "package": ("infra.commands.package", "build every function's archive for the cloud"),
    "plan": ("infra.commands.plan", "what a deployment would change"),
    "deploy": ("infra.commands.deploy", "infrastructure, migrations, functions, schedules: the cloud as the tree says"),
    "check": ("infra.check.command", "what a change of cron.yaml does; is it valid and explained"),
    "migrate": ("infra.commands.migrate", "bring a database to the newest schema"),
    "restored": ("infra.commands.restored", "after a restoration: hold what may have been sent, see it, send it"),
    "drill": ("infra.commands.drill", "lose Postgres, bring it back, see that nobody is told twice"),
    "reload": ("infra.commands.reload", "make jobs and Cloud Scheduler equal to cron.yaml"),
    "backfill": ("infra.commands.backfill", "run a range of past ticks"),
    "doctor": ("infra.commands.doctor", "does everything load, is all registered, which jobs can this ERP feed"),
    "replay": ("infra.commands.replay", "bring notifications again, sending nothing twice"),
}


def main(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: python -m infra COMMAND [--help]\n")
        print("\n".join(f"  {name:<8} {purpose}" for name, (_, purpose) in COMMANDS.items()))
        return 0 if arguments else 2
    command, *rest = arguments
    if command not in COMMANDS:
        print(f"command {command!r}: allowed are {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        code: int = importlib.import_module(COMMANDS[command][0]).main(rest)
    except (BadInputError, NothingToDoError, OutOfReachError) as error:
        print(error, file=sys.stderr)
        return error.code
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
