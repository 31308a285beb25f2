"""Which messages a subscription's filter lets through: the grammar of Pub/Sub filters, compiled to a function.

expression = term { "AND" term } | term { "OR" term }          AND and OR mix only with parentheses
term       = [ "NOT" | "-" ] term | "(" expression ")" | test
test       = "attributes" ":" key
           | "attributes" "." key ( "=" | "!=" ) string
           | "hasPrefix" "(" "attributes" "." key "," string ")"
key        = letters, digits, "_" and "-", or a string
"""

import re
from collections.abc import Callable, Mapping

from infra.local.pubsub.errors import RefusedError, invalid

Filter = Callable[[Mapping[str, str]], bool]

MAX_BYTES = 256

_TOKEN = re.compile(
    r"""[ \t\r\n]* (?:
        (?P<string> "(?:[^"\\\n]|\\.)*" )
      | (?P<word> [A-Za-z0-9_][A-Za-z0-9_-]* )
      | (?P<sign> != | [=:.,()-] )
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-7]{1,3})|(.))")
_NAMED_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_NAMED_ESCAPES |= {sign: sign for sign in "\\\"'?`"}


def compile_filter(text: str) -> Filter:
    """A function of a message's attributes; an empty filter lets everything through.

    Raises `RefusedError` (INVALID_ARGUMENT) with the position of what is malformed.
    """
    if len(text.encode()) > MAX_BYTES:
        raise invalid(f"The filter is longer than {MAX_BYTES} bytes.")
    if not text.strip():
        return lambda attributes: True
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0

    def whole(self) -> Filter:
        found = self._expression()
        if self._kind() != "end":
            raise self._wrong("AND, OR or the end")
        return found

    def _expression(self) -> Filter:
        terms = [self._term()]
        joint = self._text() if self._kind() == "word" and self._text() in ("AND", "OR") else None
        while joint and self._take(joint):
            terms.append(self._term())
        if joint and self._kind() == "word" and self._text() in ("AND", "OR"):
            raise self._wrong(f"{joint} or parentheses: AND and OR do not mix without them")
        if len(terms) == 1:
            return terms[0]
        if joint == "AND":
            return lambda attributes: all(term(attributes) for term in terms)
        return lambda attributes: any(term(attributes) for term in terms)

    def _term(self) -> Filter:
        if self._take("NOT") or self._take("-"):
            negated = self._term()
            return lambda attributes: not negated(attributes)
        if self._take("("):
            found = self._expression()
            self._expect(")")
            return found
        if self._take("hasPrefix"):
            return self._prefix()
        self._expect("attributes")
        if self._take(":"):
            present = self._key()
            return lambda attributes: present in attributes
        self._expect(".")
        key = self._key()
        if self._take("="):
            wanted = self._string()
            return lambda attributes: attributes.get(key) == wanted
        self._expect("!=")
        unwanted = self._string()
        # A message without the attribute passes: it does not have that value (real service).
        return lambda attributes: attributes.get(key) != unwanted

    def _prefix(self) -> Filter:
        for expected in ("(", "attributes", "."):
            self._expect(expected)
        key = self._key()
        self._expect(",")
        prefix = self._string()
        self._expect(")")
        return lambda attributes: key in attributes and attributes[key].startswith(prefix)

    def _key(self) -> str:
        if self._kind() == "word":
            self._next += 1
            return self._tokens[self._next - 1][1]
        return self._string("an attribute key")

    def _string(self, expected: str = "a string in double quotes") -> str:
        if self._kind() != "string":
            raise self._wrong(expected)
        text = self._text()
        self._next += 1
        return _unquoted(text)

    def _take(self, text: str) -> bool:
        if self._kind() == "string" or self._text() != text:
            return False
        self._next += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._wrong(f'"{text}"')

    def _kind(self) -> str:
        return self._tokens[self._next][0]

    def _text(self) -> str:
        return self._tokens[self._next][1]

    def _wrong(self, expected: str) -> RefusedError:
        kind, text, position = self._tokens[self._next]
        found = "the end" if kind == "end" else text
        return invalid(f"Invalid filter at character {position + 1}: expected {expected}, found {found}.")


def _tokens(text: str) -> list[tuple[str, str, int]]:
    found: list[tuple[str, str, int]] = []
    end = len(text.rstrip(" \t\r\n"))
    position = 0
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise invalid(f"Invalid filter at character {position + 1}: unexpected {text[position:].strip()[:1]!r}.")
        found.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        position = match.end()
    return [*found, ("end", "", end)]


def _unquoted(literal: str) -> str:
    def plain(match: re.Match[str]) -> str:
        hexadecimal, short, long, octal, named = match.groups()
        if named is not None:
            if named not in _NAMED_ESCAPES:
                raise invalid(f"Invalid filter: unknown escape \\{named} in {literal}.")
            return _NAMED_ESCAPES[named]
        number = int(octal, 8) if octal else int(hexadecimal or short or long, 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise invalid(f"Invalid filter: {match[0]} in {literal} is not a character.")
        return chr(number)

    return _ESCAPE.sub(plain, literal[1:-1])
