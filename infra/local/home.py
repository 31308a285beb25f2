"""What does a home keep, and whose is it? Everything of one local cloud; one process holds it at a time."""

import fcntl
import json
import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from shared.errors import BelfryError


class HomeInUse(BelfryError):
    """Another process holds this home."""


class Home:
    """A folder: `postgres/`, `pubsub/`, `scheduler/`, `sinks/`, `oidc/`, `logs/`, `tokens.json`, `local.env`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._held: IO[str] | None = None

    def take(self) -> None:
        """Hold the home until this process ends; the kernel lets go of it, however that is.

        Raises HomeInUse naming the process that holds it.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self.folder / "up.pid").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise HomeInUse(f"--home {self.folder} belongs to process {holder}, which is running") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._held = lock

    def leave(self) -> None:
        if self._held is not None:
            self._held.truncate(0)
            self._held.close()
            self._held = None

    def tokens(self) -> dict[str, str]:
        """The demo's bearer tokens, made once."""
        file = self.folder / "tokens.json"
        if not file.exists():
            made = {name: secrets.token_urlsafe(32) for name in ("BELFRY_VIEW_TOKEN", "BELFRY_MANAGE_TOKEN")}
            _write_private(file, json.dumps(made))
        kept: dict[str, str] = json.loads(file.read_text())
        return kept

    def write_environment(self, values: Mapping[str, str]) -> None:
        """`local.env`, for programs that want to join: `. .belfry/local.env`."""
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in values.items()]
        _write_private(self.folder / "local.env", "".join(lines))

    def environment(self) -> dict[str, str]:
        """What `write_environment` wrote; empty when nothing ever ran here."""
        file = self.folder / "local.env"
        lines = file.read_text().splitlines() if file.exists() else []
        pairs = (shlex.split(line.removeprefix("export "))[0].partition("=") for line in lines)
        return {name: value for name, _, value in pairs}


def _write_private(file: Path, text: str) -> None:
    """All of it or nothing, and for the owner's eyes."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(text)
    unfinished.replace(file)
