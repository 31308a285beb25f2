"""What did cron.yaml say before the change? The same file at a revision of git."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.commands.outcome import BadInputError
from shared.cronfile.loading import parse
from shared.cronfile.specs import CronFile, CronFileError

TRUNK = "origin/main"


@dataclass(frozen=True)
class Revision:
    """The file before the change, or why there is none to compare with."""

    said: str
    file: CronFile | None = None


def before(path: Path, against: str | None) -> Revision:
    """The file where this work began: the newest commit that HEAD shares with `against`.

    Without `against` that is origin/main where HEAD has gone on from it, else HEAD itself. Raises BadInputError for an
    `against` that git does not know: who names one relies on being compared with it.
    """
    folder = path.resolve().parent
    head = _commit(folder, "HEAD")
    if head is None:
        if against:
            raise BadInputError(f"--against {against}: {folder} is in no git repository with a commit")
        return Revision("nothing to compare with: no git repository, or none with a commit")
    if against:
        tip = _commit(folder, against)
        if tip is None:
            raise BadInputError(f"--against {against!r}: git knows no such revision here; is it fetched?")
        name, commit = against, _shared(folder, tip, head) or tip
    else:
        tip = _commit(folder, TRUNK)
        shared = _shared(folder, tip, head) if tip else None
        name, commit = (TRUNK, shared) if shared and shared != head else ("HEAD", head)
    said = f"{name} ({_git(folder, 'log', '-1', '--format=%h of %cs', commit)})"
    content = _bytes(folder, "show", f"{commit}:./{path.name}")
    if content is None:
        return Revision(f"nothing to compare with: {said} has no {path.name}")
    try:
        return Revision(said, parse(content, path))
    except CronFileError as broken:
        first = broken.errors[0]
        return Revision(f"nothing to compare with: {path.name} at {said} is broken itself, first on line {first.line}")


def _commit(folder: Path, revision: str) -> str | None:
    return _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def _shared(folder: Path, one: str, other: str) -> str | None:
    return _git(folder, "merge-base", one, other)


def _git(folder: Path, *arguments: str) -> str | None:
    said = _bytes(folder, *arguments)
    return said.decode().strip() if said is not None else None


def _bytes(folder: Path, *arguments: str) -> bytes | None:
    """What git answers; None when it refuses or is not there."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
