"""Who is still alive? Read from /proc, without the dead whom init has not buried yet."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    group: int
    command: str


def alive() -> list[Process]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, group, *_ = (folder / "stat").read_text().rpartition(") ")[2].split()
            command = (folder / "cmdline").read_text(errors="replace").replace("\0", " ").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if state != "Z":
            found.append(Process(int(folder.name), int(parent), int(group), command))
    return found
