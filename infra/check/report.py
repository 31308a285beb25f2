"""How is an answer of check printed: for a terminal, or as Markdown for a page?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Section:
    """One question and its answer: lines for people (each pair of blanks in front nests one deeper), facts as JSON."""

    name: str
    title: str
    lines: tuple[str, ...]
    facts: Any


def plain(sections: Iterable[Section]) -> str:
    blocks = ("\n".join([one.title, *(f"  {line}" for line in one.lines)]) for one in sections)
    return "\n\n".join(blocks)


def markdown(sections: Iterable[Section], errors: Iterable[str], warnings: Iterable[str]) -> str:
    """The same with headings and lists; what is wrong comes first."""
    wrong = [f"- **error** {_code(line)}" for line in errors] + [f"- warning {_code(line)}" for line in warnings]
    blocks = ["\n".join(["### cron.yaml", "", *wrong])] if wrong else []
    for one in sections:
        blocks.append("\n".join([f"### {_escaped(one.title)}", "", *_body(one.lines)]))
    return "\n\n".join(blocks) + "\n"


def _body(lines: tuple[str, ...]) -> list[str]:
    """A list; what is set in columns stays as it is."""
    if any("  " in line.strip() for line in lines):
        return ["~~~text", *(line.replace("~~~", "---") for line in lines), "~~~"]
    return [f"{' ' * (len(line) - len(line.lstrip()))}- {_escaped(line.strip())}" for line in lines]


def _code(line: str) -> str:
    return f"`{line.replace('`', chr(39))}`"


def _escaped(line: str) -> str:
    """Text of the file as text: none of it is read as Markdown or HTML."""
    said = "".join(f"\\{letter}" if letter in "\\`*_<>[]|~" else letter for letter in line)
    return f"\\{said}" if said[:1] in tuple("#+-") else said
