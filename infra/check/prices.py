"""What does one unit cost, by which page, read when? The dated table of prices.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

PRICES = Path(__file__).with_name("prices.yaml")


@dataclass(frozen=True)
class Price:
    """USD for `per` units beyond a month's free ones."""

    price: Decimal
    per: Decimal
    unit: str
    free: Decimal
    source: str
    read: str
    verified: bool = True


@dataclass(frozen=True)
class Prices:
    """prices.yaml."""

    as_of: date
    region: str
    vcpu: Mapping[str, Decimal]  # a function's share of a CPU by its memory
    of: Mapping[str, Price]

    @classmethod
    def read(cls, path: Path = PRICES) -> Prices:
        raw = yaml.safe_load(path.read_text("utf-8"))
        of = {name: Price(**{**entry, **_decimals(entry)}) for name, entry in raw["prices"].items()}
        return cls(raw["as_of"], raw["region"], exact(raw["vcpu_of_memory"]), MappingProxyType(of))


def exact(raw: Mapping[str, Any]) -> dict[str, Decimal]:
    """The same numbers without a float's error."""
    return {name: Decimal(str(value)) for name, value in raw.items()}


def _decimals(entry: Mapping[str, Any]) -> dict[str, Decimal]:
    return exact({name: entry[name] for name in ("price", "per", "free")})
