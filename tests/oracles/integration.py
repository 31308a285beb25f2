"""What should data sync leave behind? The rulebook (M2) over a system's random life, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

OVERLAP = timedelta(minutes=5)
LADDER = [5, 15, 30, 60]
Row = dict[str, Any]


def born(rng: Random, number: int, at: datetime) -> Row:
    """A material as the other system tells it; now and then one that nobody could take."""
    data: Row = {
        "code": f"C-{number}", "name": f"料 {rng.randint(1, 9)}", "type": rng.choice(["MAKE", "PURCHASE"]),
        "safety_stock": rng.choice([0, 1.5, "2.25"]), "lead_time_days": rng.randint(0, 5), "min_order_qty": 1,
        "supplier": rng.choice([None, "S-1", "S-2"]), "active": True,
    }  # fmt: skip
    if rng.random() < 0.03:
        data |= rng.choice([{"name": " "}, {"lead_time_days": "soon"}, {"type": "GIFT"}, {"supplier": "S-LATE"}])
    return {"key": f"K-{number}", "changed_at": at.isoformat(), "data": data}


def live_on(rng: Random, rows: dict[str, Row], at: datetime) -> None:
    """A quarter of an hour over there: changes, news, some deletions and returns, a change that says nothing new."""
    for key in rng.sample(sorted(rows), 25):
        number, moment = int(key[2:]), at - timedelta(seconds=rng.randint(0, 1000))
        if rng.random() < 0.15:
            rows[key] = {"key": key, "changed_at": moment.isoformat(), "deleted": True}
        elif rng.random() < 0.2 and "data" in rows[key]:
            rows[key] = {**rows[key], "changed_at": moment.isoformat()}
        else:
            rows[key] = born(rng, number, moment)
    for _ in range(3):
        number = len(rows)
        rows[f"K-{number}"] = born(rng, number, at)


def said(data: Row) -> tuple[Any, ...]:
    """The row as it would be stored."""
    return (
        data["code"], data["name"], data["type"], float(data["safety_stock"]), data["lead_time_days"], data["supplier"],
        data["active"],
    )  # fmt: skip


def wrong(data: Row, suppliers: set[str]) -> bool:
    return (
        not data["name"].strip() or data["lead_time_days"] == "soon" or data["type"] == "GIFT"
        or data["supplier"] not in suppliers | {None}
    )  # fmt: skip


@dataclass
class Ref:
    theirs: tuple[Any, ...]  # as last seen
    ours: tuple[Any, ...] | None  # as last written from here
    deleted: bool = False


@dataclass
class World:
    """What stands here: materials by code, what came under which key, and what was set aside."""

    policy: str
    suppliers: set[str]
    stored: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    refs: dict[str, Ref] = field(default_factory=dict)
    aside: dict[str, tuple[Row, int, datetime | None]] = field(default_factory=dict)
    watermark: datetime | None = None

    def tick(self, rows: dict[str, Row], now: datetime) -> None:
        for key, (payload, attempts, due) in list(self.aside.items()):
            if due is None or due > now:
                continue
            if not wrong(payload["data"], self.suppliers):
                self._take(payload)
            else:
                tried = attempts + 1
                wait = now + timedelta(minutes=LADDER[tried - 1]) if tried <= len(LADDER) else None
                self.aside[key] = (payload, tried, wait)
        since = self.watermark - OVERLAP if self.watermark else None
        seen = sorted(rows.values(), key=lambda row: (datetime.fromisoformat(row["changed_at"]), row["key"]))
        for row in seen:
            at = datetime.fromisoformat(row["changed_at"])
            if since and at < since:
                continue
            if "data" in row and wrong(row["data"], self.suppliers):
                if self.aside.get(row["key"], ({},))[0] != row:
                    self.aside[row["key"]] = (row, 1, now + timedelta(minutes=LADDER[0]))
            else:
                self._take(row)
            self.watermark = max(self.watermark or at, min(at, now))

    def _take(self, row: Row) -> None:
        key, ref = row["key"], self.refs.get(row["key"])
        self.aside.pop(key, None)
        if row.get("deleted"):
            if ref and not ref.deleted:
                code = ref.theirs[0]
                untouched = ref.ours == self.stored[code]
                self.stored[code] = (*self.stored[code][:-1], False)
                ref.ours, ref.deleted = (self.stored[code] if untouched else ref.ours), True
            return
        theirs = said(row["data"])
        if ref and ref.theirs == theirs and not ref.deleted:
            return
        here = self.stored.get(theirs[0])
        if here is not None and here != theirs and (ref is None or ref.ours != here) and self.policy == "LOCAL_WINS":
            self.refs[key] = Ref(theirs, ref.ours if ref else None)
            return
        self.stored[theirs[0]] = theirs
        self.refs[key] = Ref(theirs, theirs)
