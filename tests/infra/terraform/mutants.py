"""Small mistakes, one for every place of our .tf files where one can be made: a name misspelt, a needed argument gone.

The files are read by line, which `terraform fmt` makes possible: a block's header and an argument's name stand alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.infra.terraform.provider import SCHEMA

_HEADER = re.compile(
    r'^ *(dynamic "(?P<dynamic>\w+)"|(?P<kind>\w+))(?: "(?P<type>[\w-]+)")?(?: "[\w-]+")? \{(?P<closed>\})?$'
)
_ARGUMENT = re.compile(r"^ *(?P<name>\w+) *= ")
# An attribute of google_x.y (of the one or of each), a variable, a local value.
_REFERENCE = re.compile(r"\b(?:google_\w+\.\w+(?:\[[^]]*\])?\.|var\.|local\.)(?P<name>\w+)")
_VALUE = ""
_FREE = ("locals", "required_providers")  # here names are one's own; where one is used, a wrong one shows


@dataclass(frozen=True)
class Mutant:
    """One line of one file, changed."""

    kind: str
    path: Path  # below the folder
    line: int  # from 1
    text: str  # the line instead

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.kind}: {self.text.strip()}"

    @contextmanager
    def made(self, folder: Path) -> Iterator[None]:
        """The mistake is in the folder's file for as long as the context lasts."""
        before = (folder / self.path).read_text("utf-8")
        lines = before.splitlines()
        lines[self.line - 1] = self.text
        (folder / self.path).write_text("\n".join(lines) + "\n", "utf-8")
        try:
            yield
        finally:
            (folder / self.path).write_text(before, "utf-8")


def mutants(folder: Path) -> list[Mutant]:
    """Every mutant of every .tf file under a folder, in the order of files and lines."""
    required = {
        name: {argument for argument, (flags, _) in block["attributes"].items() if flags == "required"}
        for name, block in json.loads(SCHEMA.read_text("utf-8"))["resources"].items()
    }
    files = sorted(
        path for path in folder.rglob("*.tf") if path.name != "backend_override.tf" and ".terraform" not in path.parts
    )
    return [each for path in files for each in _of_file(path.relative_to(folder), path.read_text("utf-8"), required)]


def _of_file(path: Path, text: str, required: dict[str, set[str]]) -> Iterator[Mutant]:
    opened: list[tuple[str, str]] = []  # kind and type of the blocks around a line; a value of several lines is _VALUE
    for number, line in enumerate(text.splitlines(), 1):
        code = re.sub(r"\s+#.*$", "", line)
        if header := _HEADER.match(code):
            kind, name = header["kind"] or "dynamic", header["type"] or header["dynamic"] or ""
            if not opened and kind in ("resource", "data"):
                yield Mutant("another type", path, number, line.replace(name, f"{name}x", 1))
            elif opened:
                word = header["dynamic"] or kind
                yield Mutant("another block", path, number, line.replace(word, f"{word}x", 1))
            if not header["closed"]:
                opened.append((kind, name))
            continue
        if opened and opened[-1][0] not in (_VALUE, *_FREE) and (argument := _ARGUMENT.match(code)):
            name = argument["name"]
            yield Mutant("another argument", path, number, line.replace(name, f"{name}x", 1))
            if (
                opened[0][0] == "resource"
                and len(opened) == 1
                and name in required.get(opened[0][1], ())
                and not _depth(code)
            ):
                yield Mutant("without a required argument", path, number, "")
        # What a trigger names, Terraform does not look up before something changes: not even with the real provider.
        if (reference := _REFERENCE.search(code)) and "replace_triggered_by" not in code:
            end = reference.end("name")
            yield Mutant("another reference", path, number, f"{line[:end]}x{line[end:]}")
        if (depth := _depth(code)) > 0:
            opened.extend([(_VALUE, "")] * depth)
        else:
            del opened[len(opened) + depth :]


def _depth(code: str) -> int:
    """How many brackets a line opens and leaves open; negative when it closes more."""
    return len(re.findall(r"[{\[(]", code)) - len(re.findall(r"[}\])]", code))
