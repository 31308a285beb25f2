"""What should the jobs that watch databases find? The rulebook (6.7, W1-W6) over random rows, in plain Python."""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from sqlalchemy import Connection, insert, text

from shared.databases import tables
from tests.factories import Erp

CENT = Decimal("0.01")
KINDS = ("DAILY", "WEEKLY", "MONTHLY", "QUARTERLY")


# ---------------------------------------------------------------- random rows
def generate(erp: Erp, rng: Random, day: date) -> None:
    """Six instances with up to four databases over 200 days: gaps, nothing, jumps, one that is not watched any more."""
    sizes, totals = [], []
    for number in range(6):
        instance = erp.db_instance(is_active=number != 3)
        known = {f"d{n}": rng.choice([0, 1, 900, 60_000, 2_000_000]) for n in range(rng.randint(1, 4))}
        born = {name: rng.choice([200, 200, 95, 40, 6, 0]) for name in known}
        for ago in range(200, -1, -1):
            if rng.random() < 0.07 or (number == 3 and ago < 20):
                continue  # nobody measured on that day
            at, found = day - timedelta(days=ago), {}
            for name in known:
                if ago > born[name] or rng.random() < 0.03:
                    continue
                known[name] = max(0, known[name] + rng.choice([0, 0, 1, 7, -3, 400, 24_000, -known[name] // 2, known[name] // 3]))
                found[name] = known[name]
            for name, size in found.items():
                data = None if rng.random() < 0.1 else size * 9 // 10
                sizes.append({"instance_id": instance, "database_name": name, "collected_date": at, "size_mb": size,
                              "data_size_mb": data, "log_size_mb": None, "collected_at": f"{at}T03:05+08:00"})  # fmt: skip
            totals.append({"instance_id": instance, "collected_date": at, "total_size_mb": sum(found.values()),
                           "database_count": len(found), "collected_at": f"{at}T03:05+08:00"})  # fmt: skip
    erp.conn.execute(insert(tables.database_size_stats), sizes)
    erp.conn.execute(insert(tables.instance_size_stats), totals)


# ---------------------------------------------------------------- periods
def span(kind: str, day: date) -> tuple[date, date]:
    if kind == "DAILY":
        return day, day
    if kind == "WEEKLY":
        monday = day - timedelta(days=day.isoweekday() - 1)
        return monday, monday + timedelta(days=6)
    first_month = day.month if kind == "MONTHLY" else {1: 1, 2: 4, 3: 7, 4: 10}[(day.month + 2) // 3]
    last_month = first_month if kind == "MONTHLY" else first_month + 2
    return date(day.year, first_month, 1), date(day.year, last_month, calendar.monthrange(day.year, last_month)[1])


def expected_periods(db: Connection, day: date, look_back: int, done: set[tuple[str, date]]) -> set[tuple[str, date]]:
    """Those that the calendar makes due, and those that are over and nobody has summed up."""
    due = {("DAILY", day)}
    if day.isoweekday() == 1:
        due.add(("WEEKLY", day - timedelta(days=7)))
    if day.day in (1, 2, 3):
        due.add(("MONTHLY", span("MONTHLY", day.replace(day=1) - timedelta(days=1))[0]))
    quarter = span("QUARTERLY", day)[0]
    if (day - quarter).days in range(5):
        due.add(("QUARTERLY", span("QUARTERLY", quarter - timedelta(days=1))[0]))
    for collected in db.execute(text("select distinct collected_date from belfry.instance_size_stats")).scalars():
        for kind in KINDS:
            first, last = span(kind, collected)
            if last < day and first >= day - timedelta(days=look_back) and collected >= day - timedelta(days=look_back):
                due |= {(kind, first)} - done
    return due


def _mean(values: Iterable[int]) -> Decimal | None:
    given = list(values)
    return (Decimal(sum(given)) / len(given)).quantize(CENT, ROUND_HALF_UP) if given else None


def _change(now: Decimal | None, before: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
    if now is None or before is None:
        return None, None
    percent = None if before == 0 else ((now - before) * 100 / before).quantize(CENT, ROUND_HALF_UP)
    return now - before, percent


def _trend(percent: Decimal | None) -> str | None:
    return None if percent is None else "GROWING" if percent > 5 else "SHRINKING" if percent < -5 else "STABLE"


def expected_sums(db: Connection, day: date, periods: set[tuple[str, date]]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """What every database and every instance comes to in those periods, by the tables' own columns."""
    sizes = db.execute(text("select * from belfry.database_size_stats")).all()
    totals = db.execute(text("select * from belfry.instance_size_stats")).all()
    databases, instances = {}, {}
    for kind, start in periods:
        first, last = span(kind, start)
        earlier = span(kind, first - timedelta(days=1))

        def group(rows: Any, of: tuple[date, date], *key: str) -> dict[Any, list[Any]]:
            found = defaultdict(list)
            for row in rows:
                if of[0] <= row.collected_date <= of[1]:
                    found[tuple(getattr(row, name) for name in key)].append(row)
            return found

        days = (last - first).days + 1
        then = group(sizes, earlier, "instance_id", "database_name")
        for key, points in group(sizes, (first, last), "instance_id", "database_name").items():
            data = [p.data_size_mb for p in points if p.data_size_mb is not None]
            mean, data_mean = _mean(p.size_mb for p in points), _mean(data)
            change, percent = _change(mean, _mean(p.size_mb for p in then[key]))
            data_change, data_percent = _change(data_mean, _mean(p.data_size_mb for p in then[key] if p.data_size_mb is not None))
            databases[(*key, kind, first)] = {
                "period_end": last, "avg_size_mb": mean, "max_size_mb": max(p.size_mb for p in points),
                "min_size_mb": min(p.size_mb for p in points), "avg_data_size_mb": data_mean,
                "max_data_size_mb": max(data, default=None), "min_data_size_mb": min(data, default=None),
                "data_count": len(points), "expected_count": days, "size_change_mb": change,
                "size_change_percent": percent, "data_size_change_mb": data_change,
                "data_size_change_percent": data_percent, "growth_rate": percent, "trend": _trend(percent),
                "is_final": last <= day and (len(points) == days or (day - last).days >= 3),
            }  # fmt: skip
        then = group(totals, earlier, "instance_id")
        for key, points in group(totals, (first, last), "instance_id").items():
            mean, count = _mean(p.total_size_mb for p in points), _mean(p.database_count for p in points)
            change, percent = _change(mean, _mean(p.total_size_mb for p in then[key]))
            count_change, count_percent = _change(count, _mean(p.database_count for p in then[key]))
            all_databases = sum(p.database_count for p in points)
            each = Decimal(sum(p.total_size_mb for p in points)) / all_databases if all_databases else None
            instances[(*key, kind, first)] = {
                "period_end": last, "avg_total_mb": mean, "max_total_mb": max(p.total_size_mb for p in points),
                "min_total_mb": min(p.total_size_mb for p in points),
                "avg_size_per_db_mb": each.quantize(CENT, ROUND_HALF_UP) if each is not None else None,
                "avg_database_count": count, "max_database_count": max(p.database_count for p in points),
                "min_database_count": min(p.database_count for p in points), "data_count": len(points),
                "expected_count": days, "total_change_mb": change, "total_change_percent": percent,
                "database_count_change": count_change, "database_count_change_percent": count_percent,
                "trend": _trend(percent), "is_final": last <= day and (len(points) == days or (day - last).days >= 3),
            }  # fmt: skip
    return databases, instances


# ---------------------------------------------------------------- growth
def expected_growth(db: Connection, day: date) -> dict[str, tuple[int, int]]:
    """Databases that grew by 30 % and 20 GB against their newest size of the three days before."""
    found: dict[str, tuple[int, int]] = {}
    names = {row.id: row.name for row in db.execute(text("select id, name from belfry.db_instances"))}
    points: dict[tuple[int, str], dict[date, int]] = defaultdict(dict)
    for row in db.execute(text("select * from belfry.database_size_stats")):
        points[row.instance_id, row.database_name][row.collected_date] = row.size_mb
    for (instance, name), sizes in points.items():
        before = next((sizes[day - timedelta(days=n)] for n in (1, 2, 3) if day - timedelta(days=n) in sizes), None)
        if day in sizes and before is not None:
            by = sizes[day] - before
            if by >= 20 * 1024 and by * 100 >= before * 30:
                found[f"{names[instance]}/{name}"] = (before, sizes[day])
    return found


GIB = 1024**3


def next_size(rng: Random, size: int) -> int:
    """What a database has become: as it was, a little more, or around the thresholds of growth; bytes."""
    grown = rng.choice((0, 0, 1, 20 * GIB - 1024**2, 20 * GIB, 25 * GIB, size * 3 // 10, size * 29 // 100, -size // 2))
    return max(1, size + grown + rng.choice((0, 512 * 1024, 512 * 1024 - 1)))


def megabytes(size: int) -> int:
    """Rounded half up."""
    return int((Decimal(size) / 1024**2).quantize(Decimal(1), ROUND_HALF_UP))


# ---------------------------------------------------------------- accounts
OWNER = {"username": "belfry", "is_superuser": True, "is_locked": False, "privileges": {"*": ["ALL"]}}


def as_roles(there: set[str], seen: list[dict[str, Any]]) -> list[str]:
    """What makes a Postgres with the roles `there` have these accounts."""
    words = {"A": "createdb", "B": "createrole", "C": "bypassrls"}
    statements = [f"drop owned by {name}; drop role {name}" for name in sorted(there - {account["username"] for account in seen})]
    statements = [part for statement in statements for part in statement.split("; ")]
    for account in seen:
        name, held = account["username"], account["privileges"]
        if account is OWNER:
            continue
        if name not in there:
            statements.append(f"create role {name} login")
        rights = [word if key in held.get("*", ()) else f"no{word}" for key, word in words.items()]
        until = "2020-01-01" if account["is_locked"] else "infinity"
        power = "superuser" if account["is_superuser"] else "nosuperuser"
        statements.append(f"alter role {name} {power} {' '.join(rights)} valid until '{until}'")
        statements.append(f"revoke all on database shop from {name}")
        grants = [{"A": "create", "B": "connect", "C": "temporary"}[key] for key in held.get("database x", ())]
        statements += [f"grant {', '.join(grants)} on database shop to {name}"] if grants else []
    return statements


def random_accounts(rng: Random) -> list[dict[str, Any]]:
    """A server's accounts on one day: some of thirty, with random privileges."""
    found = []
    for number in range(30):
        if rng.random() < 0.25:
            continue
        privileges = {scope: sorted(rng.sample(["A", "B", "C"], rng.randint(0, 2))) for scope in ("*", "database x") if rng.random() < 0.7}
        found.append({"username": f"u{number:02}", "is_superuser": rng.random() < 0.15,
                      "is_locked": rng.choice([True, False, False]), "privileges": privileges})  # fmt: skip
    return found


def expected_accounts(days: list[list[dict[str, Any]]]) -> tuple[list[tuple[int, str, str]], set[tuple[int, str]], dict[str, bool]]:
    """What is logged on each day (day, account, change), who is alarming when, and who is active in the end."""
    known: dict[str, dict[str, Any]] = {}
    active: dict[str, bool] = {}
    logged, alarming = [], set()
    for number, seen in enumerate(days):
        now = {a["username"]: a for a in seen}
        for name, account in now.items():
            old = known.get(name)
            held = {s: g for s, g in account["privileges"].items() if g}
            if old is None:
                change = "ADD"
            elif not active[name]:
                change = "REACTIVATE"
            elif old["is_superuser"] != account["is_superuser"] or {s: g for s, g in old["privileges"].items() if g} != held:
                change = "MODIFY_PRIVILEGE"
            else:
                change = "MODIFY_OTHER" if old["is_locked"] != account["is_locked"] else None
            if change:
                logged.append((number, name, change))
            was = old is not None and active[name] and old["is_superuser"]
            if account["is_superuser"] and not was and known and number:
                alarming.add((number, name))
        logged += [(number, name, "DEACTIVATE") for name in known if active[name] and name not in now]
        known |= now
        active = {name: name in now for name in known}
    return logged, alarming, active


# ---------------------------------------------------------------- partitions
def random_partitions(erp: Erp, rng: Random, day: date, parent: str) -> set[date]:
    """Some months of four years, some of them with a row."""
    months = set()
    for number in range(-44, 3):
        if rng.random() < 0.6:
            months.add(months_later(day, number))
            erp.partition(months_later(day, number), parent)
    return months


def months_later(day: date, number: int) -> date:
    """The first day of the month so many months on."""
    year, month = divmod(day.year * 12 + day.month - 1 + number, 12)
    return date(year, month + 1, 1)


def stays(month: date, day: date, kept: int) -> bool:
    """The current month, those before it up to so many in all, and those to come."""
    return (day.year * 12 + day.month) - (month.year * 12 + month.month) < kept
