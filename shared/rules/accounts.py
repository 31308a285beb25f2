"""What has changed about an account since the last look? (rulebook W2)"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """An account as it was at the last look that found it; `is_active` false: it was gone since."""

    is_active: bool
    is_superuser: bool
    is_locked: bool | None
    privileges_hash: str | None


@dataclass(frozen=True)
class Seen:
    """An account as it is."""

    is_superuser: bool
    is_locked: bool | None
    privileges_hash: str


def privileges_hash(privileges: Mapping[str, Sequence[str]]) -> str:
    """The same for the same grants, in whatever order they are told."""
    said = {scope: sorted(set(held)) for scope, held in privileges.items() if held}
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def change(known: Known | None, seen: Seen | None) -> str | None:
    """ADD, REACTIVATE, MODIFY_PRIVILEGE, MODIFY_OTHER, DEACTIVATE, or None where there is nothing to log."""
    if seen is None:
        return "DEACTIVATE" if known is not None and known.is_active else None
    if known is None:
        return "ADD"
    if not known.is_active:
        return "REACTIVATE"
    if (known.is_superuser, known.privileges_hash) != (seen.is_superuser, seen.privileges_hash):
        return "MODIFY_PRIVILEGE"
    return "MODIFY_OTHER" if known.is_locked != seen.is_locked else None


def is_alarming(known: Known | None, seen: Seen, *, first_look: bool) -> bool:
    """A superuser that was none, or was not there; at the first look at an instance nothing is new."""
    was = known is not None and known.is_active and known.is_superuser
    return seen.is_superuser and not was and not first_look
