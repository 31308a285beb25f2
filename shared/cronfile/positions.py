"""How cron.yaml becomes values that know their line and column, and what YAML we do not take.

A file that two YAML libraries may read differently (Terraform reads it too) is refused: only true and false are
booleans, only plain decimal digits are numbers, and no tags, merge keys, duplicate keys or tabs.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

LARGEST_FILE = 1 << 20
MOST_NODES = 50_000
DEEPEST = 16

_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?")
_NUMBERLIKE = re.compile(r"[-+]?[0-9][0-9_:.]*(?:[eE][-+]?[0-9]+)?|0[oO][0-7]+")  # octal, base 60, 1e3 ...
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_STRING = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (or, as a warning, odd) in the file."""

    line: int
    column: int
    where: str
    message: str
    file: str = "cron.yaml"

    def __str__(self) -> str:
        where = f" {self.where}:" if self.where else ""
        return f"{self.file}:{self.line}:{self.column}{where} {self.message}"


@dataclass(slots=True)
class Node:
    """A value and where it stands. A mapping's value is a dict of nodes, a list's a list of nodes."""

    value: Any
    line: int
    column: int
    size: int = 1
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    def plain(self) -> Any:
        """The value without positions."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def walk(self, path: str = "") -> Iterator[tuple[str, "Node"]]:
        """Every scalar below, with its dotted path."""
        if isinstance(self.value, dict):
            for key, node in self.value.items():
                yield from node.walk(f"{path}.{key}" if path else key)
        elif isinstance(self.value, list):
            for node in self.value:
                yield from node.walk(path)
        else:
            yield path, self


class UnreadableError(Exception):
    """The file is no YAML that we take; nothing more can be said of it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def read(data: bytes, problems: list[Problem]) -> Node:
    """The tree of one file. Adds what is wrong but can be read on from; raises UnreadableError for the rest."""
    text = _decoded(data)
    tabs = [
        Problem(number, line.index("\t") + 1, "", "a tab indents this line; use blanks")
        for number, line in enumerate(text.splitlines(), 1)
        if re.match(r" *\t", line)
    ]
    if tabs:
        raise UnreadableError(*tabs)
    try:
        return _Composer(text, problems).document()
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = " ".join(filter(None, (broken.context, broken.problem)))
        raise UnreadableError(Problem(line, column, "", f"this is not YAML: {said}")) from broken
    except yaml.reader.ReaderError as broken:
        before = text[: broken.position]
        line, column = before.count("\n") + 1, broken.position - before.rfind("\n")
        raise UnreadableError(Problem(line, column, "", "a control character is not allowed here")) from broken


def _decoded(data: bytes) -> str:
    if len(data) > LARGEST_FILE:
        raise UnreadableError(Problem(1, 1, "", f"the file has {len(data)} bytes; at most {LARGEST_FILE} are read"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        before = data[: broken.start]
        line, column = before.count(b"\n") + 1, broken.start - before.rfind(b"\n")
        raise UnreadableError(Problem(line, column, "", "this is not UTF-8; save the file as UTF-8")) from broken


class _Composer:
    """Builds the tree from PyYAML's events; its own composer recurses without limit and drops duplicate keys."""

    def __init__(self, text: str, problems: list[Problem]) -> None:
        loader = yaml.SafeLoader(text)
        self.next: Callable[[], Any] = loader.get_event
        self.peek: Callable[[], yaml.Event] = loader.peek_event
        self.resolve: Callable[..., str] = loader.resolve
        self.problems = problems
        self.anchors: dict[str, Node | None] = {}
        self.nodes = 0

    def document(self) -> Node:
        self.next()  # the stream starts
        if isinstance(self.peek(), yaml.StreamEndEvent):
            raise UnreadableError(Problem(1, 1, "", "the file is empty"))
        self.next()  # the document starts
        tree = self._node("", 0)
        self.next()  # the document ends
        if not isinstance(self.peek(), yaml.StreamEndEvent):
            mark = self.next().start_mark
            raise UnreadableError(Problem(mark.line + 1, 1, "", "a second document begins here; the file holds one"))
        return tree

    def _node(self, where: str, depth: int) -> Node:
        event = self.next()
        node = Node(None, event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), node)
        if depth > DEEPEST:
            raise UnreadableError(Problem(node.line, node.column, where, f"more than {DEEPEST} levels deep"))
        if event.anchor:
            self.anchors[event.anchor] = None  # open: an alias to it now would be endless
        if event.tag is not None:
            self._wrong(node, where, f"the tag {event.tag!r} is not allowed; write plain values")
        self._count(1, node)
        if isinstance(event, yaml.ScalarEvent):
            node.value = self._scalar(event, node, where)
        elif isinstance(event, yaml.SequenceStartEvent):
            node.value = []
            while not isinstance(self.peek(), yaml.SequenceEndEvent):
                node.value.append(child := self._node(where, depth + 1))
                node.size += child.size
            self.next()
        else:
            self._mapping(node, where, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _mapping(self, node: Node, where: str, depth: int) -> None:
        node.value = {}
        while not isinstance(self.peek(), yaml.MappingEndEvent):
            key = self._node(where, depth + 1)
            word = key.value if isinstance(key.value, str) else None
            below = f"{where}.{word or '?'}" if where and where != "jobs" else word or "?"
            child = self._node(below, depth + 1)
            node.size += key.size + child.size
            if word is None:
                self._wrong(key, where, "a key must be a word; quote it")
            elif word in node.value:
                self._wrong(key, below, f"is written twice in one mapping, first on line {node.keys[word][0]}")
            else:
                node.value[word] = child
                node.keys[word] = key.line, key.column
        self.next()

    def _alias(self, name: str, at: Node) -> Node:
        if name not in self.anchors:
            raise UnreadableError(Problem(at.line, at.column, "", f"no anchor &{name} stands before this alias"))
        target = self.anchors[name]
        if target is None:
            raise UnreadableError(Problem(at.line, at.column, "", f"*{name} stands within its own anchor"))
        self._count(target.size, at)
        return target

    def _count(self, size: int, at: Node) -> None:
        self.nodes += size
        if self.nodes > MOST_NODES:
            says = f"more than {MOST_NODES} values once aliases are followed"
            raise UnreadableError(Problem(at.line, at.column, "", says))

    def _wrong(self, at: Node, where: str, message: str) -> None:
        self.problems.append(Problem(at.line, at.column, where, message))

    def _scalar(self, event: yaml.ScalarEvent, node: Node, where: str) -> Any:
        text: str = event.value
        if _INVISIBLE.search(text):
            self._wrong(node, where, "holds an invisible or direction-changing character")
        if not event.implicit[0]:  # quoted
            return text
        if text in _WORDS:
            return _WORDS[text]
        if number := _NUMBER.fullmatch(text):
            if len(text) > 18:
                self._wrong(node, where, "is a number of more than 18 digits")
                return 0
            return float(text) if number["fraction"] else int(text)
        if text == "<<":
            self._wrong(node, where, "merge keys are not allowed; write the keys out")
        elif _NUMBERLIKE.fullmatch(text) or self.resolve(yaml.ScalarNode, text, (True, False)) != _STRING:
            meant = "true or false, or quote it" if text.isalpha() else "a plain decimal number, or quote it"
            self._wrong(node, where, f"{text!r} is read differently by YAML versions; write {meant}")
        return text
