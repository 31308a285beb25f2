"""What does a plan make? Its resources with their values, as policies read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

UNKNOWN = "(known after apply)"


@dataclass(frozen=True)
class Resource:
    """One resource as it will be; what only the apply will tell is UNKNOWN."""

    address: str
    type: str
    values: Mapping[str, Any]

    def get(self, path: str) -> Any:
        """The value at a dotted path; through a block that may stand once, its first. None: not set."""
        found: Any = self.values
        for step in path.split("."):
            if isinstance(found, list):
                found = found[0] if found else None
            if found == UNKNOWN:
                return UNKNOWN
            found = found.get(step) if isinstance(found, Mapping) else None
        return found

    def all(self, path: str) -> list[Any]:
        """Every block at a dotted path."""
        found = self.get(path)
        return found if isinstance(found, list) else []


@dataclass(frozen=True)
class Plan:
    """The resources that stand once the plan is applied."""

    resources: tuple[Resource, ...]

    @classmethod
    def read(cls, shown: Mapping[str, Any]) -> Plan:
        """Of what `terraform show -json` says of a plan, or of a state."""
        if "resource_changes" in shown:
            return cls(tuple(_planned(shown["resource_changes"])))
        return cls(tuple(_standing(shown.get("values", {}).get("root_module", {}))))

    def of(self, kind: str) -> list[Resource]:
        """Those of a type, without its google_."""
        return [one for one in self.resources if one.type == f"google_{kind}"]

    @cached_property
    def functions(self) -> Mapping[str, Resource]:
        """By their names in the cloud; the console is none of them."""
        return {one.get("name"): one for one in self.of("cloudfunctions2_function")}

    @cached_property
    def pushed(self) -> frozenset[str]:
        """Names of the functions that Pub/Sub calls."""
        return frozenset(one.get("name") for one in self.of("pubsub_subscription") if one.get("push_config"))


def _planned(changes: list[Mapping[str, Any]]) -> Iterator[Resource]:
    for one in changes:
        after = one["change"]["after"]
        if one["mode"] == "managed" and after is not None:
            yield Resource(one["address"], one["type"], _with_unknown(after, one["change"].get("after_unknown", {})))


def _standing(module: Mapping[str, Any]) -> Iterator[Resource]:
    for one in module.get("resources", []):
        yield Resource(one["address"], one["type"], one["values"])
    for child in module.get("child_modules", []):
        yield from _standing(child)


def _with_unknown(after: Any, unknown: Any) -> Any:
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, Mapping) and unknown:
        known = after or {}
        return {**known, **{name: _with_unknown(known.get(name), part) for name, part in unknown.items() if part}}
    if isinstance(unknown, list) and isinstance(after, list):
        return [_with_unknown(value, part) for value, part in zip(after, unknown, strict=False)]
    return after
