"""How does a command end that cannot do what it was asked? One line on stderr, a code that says whose turn it is."""

import argparse
from datetime import datetime
from pathlib import Path

from shared.errors import BelfryError

HOME = Path(".belfry")


class BadInputError(BelfryError):
    """An argument is not one that the command takes: exit 2."""

    code = 2


class NothingToDoError(BelfryError):
    """There was nothing to do: exit 3."""

    code = 3


class OutOfReachError(BelfryError):
    """A service that the command needs does not answer: exit 4."""

    code = 4


def parser(command: str, description: str | None) -> argparse.ArgumentParser:
    """What every command takes."""
    made = argparse.ArgumentParser(prog=f"python -m infra {command}", description=description)
    made.add_argument("--home", type=Path, default=HOME, help="folder of the local cloud (default: %(default)s)")
    made.add_argument("--json", action="store_true", help="print the JSON line only")
    return made


def instant(argument: str, value: str) -> datetime:
    """An aware time. Raises BadInputError naming the argument."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadInputError(f"{argument} {value!r}: a time with its offset is allowed, such as 2026-03-02T09:00+08:00")
    return found
