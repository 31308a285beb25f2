"""What does the console say, in the reader's language? Texts live in locales/, one flat file a language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flask import g

LOCALES = Path(__file__).with_name("locales")
LANGUAGES = ("zh", "en")


@cache
def texts(language: str) -> Mapping[str, str]:
    """Every text of a language: `jobs.title` -> 任务."""
    found: dict[str, str] = {}
    for group, entries in json.loads((LOCALES / f"{language}.json").read_text("utf-8")).items():
        found.update({f"{group}.{name}": text for name, text in entries.items()})
    return found


def say(language: str, key: str, **values: Any) -> str:
    """The text of a key with its values filled in. An unknown key is a mistake of ours, so it raises."""
    text = texts(language)[key]
    return text.format(**values) if values else text


def t(key: str, **values: Any) -> str:
    """`say` in the language of this request."""
    return say(g.language, key, **values)


def has(key: str) -> bool:
    return key in texts(g.language)


def either(key: str, otherwise: str) -> str:
    """The text of a key that data names (a category, a reason), or the data itself where nobody wrote a text yet."""
    return t(key) if has(key) else otherwise


def counter(name: str) -> str:
    """What a run counted: a word of its own, a state, or a state of a channel (`email_sent`); else as it is written."""
    channel, _, state = name.partition("_")
    if has(f"channel.{channel}") and has(f"delivery.{state}"):
        return f"{t(f'channel.{channel}')} {t(f'delivery.{state}')}"
    return either(f"counter.{name}", either(f"state.{name}", name.replace("_", " ")))


def named(names: Mapping[str, str] | None, otherwise: str = "") -> str:
    """A name that is stored as {"zh", "en"}, in the language of this request."""
    if not names:
        return otherwise
    return names.get(g.language) or names.get("zh") or names.get("en") or otherwise
