"""What does a deployment cost a month, and what would an always-on one? Arithmetic over cron.yaml, sizes and prices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from infra.check import words
from infra.check.prices import Price, Prices, exact
from infra.check.report import Section
from infra.check.sizes import Sizes
from infra.check.workload import GIB, HOURS, Workload
from shared.cronfile.specs import CronFile, FunctionSpec, JobSpec

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    """One item of the bill; `usd` is for what the free amount leaves."""

    item: str
    quantity: Decimal
    price: Price

    @property
    def usd(self) -> Decimal:
        return max(Decimal(0), self.quantity - self.price.free) / self.price.per * self.price.price


@dataclass(frozen=True)
class Bill:
    """A month of 31 days."""

    lines: tuple[Line, ...]

    @property
    def usd(self) -> Decimal:
        return sum((line.usd for line in self.lines), Decimal(0))


@dataclass(frozen=True)
class Change:
    """What one entry's change does to the bill by itself, and its requests a month before and after."""

    id: str
    before: int
    after: int
    usd: Decimal


def deployed(file: CronFile, sizes: Sizes, prices: Prices, workload: Workload) -> Bill:
    """The bill of a function for each entry of the file, and one database."""
    entries = [*file.jobs.values(), *file.functions.values()]
    calls, starts, cpu, gib = Decimal(0), Decimal(0), Decimal(0), Decimal(0)
    for spec in entries:
        asked, share = workload.calls(spec, file), workload.share(spec, prices.vcpu)
        seconds = workload.seconds(spec, share, file)
        calls, starts = calls + asked.all, starts + asked.cold
        cpu, gib = cpu + seconds * share, gib + seconds * _gib(spec.memory)
    number, messages = Decimal(len(entries)), workload.number("messages")
    moved = 2 * messages * max(workload.number("message_bytes"), Decimal(1000)) / GIB  # published, and delivered once
    quantities = {
        "scheduler_job": ("Cloud Scheduler jobs", Decimal(sum(job.schedule is not None for job in file.jobs.values()))),
        "function_request": ("Function requests", calls),
        "function_vcpu_second": ("Function CPU", cpu),
        "function_gib_second": ("Function memory", gib),
        "pubsub_gib": ("Pub/Sub", moved),
        "secret_version": ("Secrets", workload.number("secrets")),
        "secret_access": ("Secrets read", starts * workload.number("secrets_a_start")),
        "registry_gib": ("Function images", number * workload.number("image_gib")),
        "build_minute": ("Builds", number * workload.number("builds_a_month") * workload.number("build_minutes")),
        "log_gib": ("Logs", calls * workload.number("log_bytes_a_call") / GIB),
    }
    lines = [Line(item, quantity, prices.of[name]) for name, (item, quantity) in quantities.items()]
    return Bill((*lines[:5], *_database(sizes, prices), *lines[5:]))


def always_on(sizes: Sizes, prices: Prices, workload: Workload) -> Bill:
    """The bill of one container that never stops, with the same database and secrets."""
    size, seconds = exact(workload.raw["always_on"]), HOURS * 3600
    return Bill(
        (
            Line("Container CPU", size["vcpu"] * seconds, prices.of["container_vcpu_second"]),
            Line("Container memory", size["gib"] * seconds, prices.of["container_gib_second"]),
            *_database(sizes, prices),
            Line("Secrets", workload.number("secrets"), prices.of["secret_version"]),
        )
    )


def changes(before: CronFile, after: CronFile, sizes: Sizes, prices: Prices, workload: Workload) -> Iterator[Change]:
    """Each entry that asks for another amount, with what it alone adds to or takes from the bill of `before`."""
    usual = deployed(before, sizes, prices, workload).usd
    old, new = ({**file.jobs, **file.functions} for file in (before, after))
    for entry in sorted({*old, *new}):
        was, will_be = old.get(entry), new.get(entry)
        if was == will_be:
            continue
        alone = deployed(_with(before, entry, will_be), sizes, prices, workload).usd - usual
        asked = [workload.calls(spec, file).all if spec else 0 for spec, file in ((was, before), (will_be, after))]
        if alone or asked[0] != asked[1]:
            yield Change(entry, asked[0], asked[1], alone)


def section(was: CronFile | None, now: CronFile, environment: str = "prod") -> Section:
    """The bill of a deployment, what the change adds to it, and the always-on alternative's sum."""
    sizes, prices, workload = Sizes.of(environment), Prices.read(), Workload.read()
    bill, other = deployed(now, sizes, prices, workload), always_on(sizes, prices, workload)
    title = f"cost: about {money(bill.usd)} USD a month for {environment}, list prices of {prices.as_of}"
    found = list(changes(was, now, sizes, prices, workload)) if was else []
    lines = [f"{money(one.usd, sign=True)} USD a month: {_said(one, was, now)}" for one in found if was]
    before = deployed(was, sizes, prices, workload).usd if was else None
    if before is not None and found:
        title += f", {money(bill.usd - before, sign=True)} by this change"
    lines += table(bill)
    lines.append(f"an always-on container with the same database: {money(other.usd)} USD")
    lines.append("?: no page of the vendor's own confirmed this price; not in it: mail's way out, alert conditions")
    if sizes.region != prices.region:
        lines.append(f"prices are those of {prices.region}; {sizes.region} asks more for database and container")
    facts = {
        "usd": money(bill.usd),
        "before": None if before is None else money(before),
        "always_on_usd": money(other.usd),
        "prices_of": prices.as_of.isoformat(),
        "lines": {line.item: money(line.usd) for line in bill.lines},
        "changes": {one.id: money(one.usd, sign=True) for one in found},
    }
    return Section("cost", title, tuple(lines), facts)


def _said(change: Change, was: CronFile, now: CronFile) -> str:
    """`data_sync every 15 minutes -> every minute, 2,976 -> 44,640 calls`."""
    before, after = was.jobs.get(change.id), now.jobs.get(change.id)
    how = ""
    if before and after and before.schedule != after.schedule:
        how = f" {words.moved(before, after, now.usual_zone)},"
    return f"{change.id}{how} {change.before:,} -> {change.after:,} calls"


def table(bill: Bill) -> Sequence[str]:
    """item, quantity, free, price, USD a month: one line each, and the total."""
    rows = [("item", "a month", "free", "USD", "USD a month")]
    for line in bill.lines:
        amount = f"{_short(line.quantity)} {line.price.unit}"
        rows.append((line.item, amount, _short(line.price.free), _asked(line.price), money(line.usd)))
    rows.append(("total", "", "", "", money(bill.usd)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(row[at].rjust(widths[at]) for at in range(1, 5))]).rstrip()
        for row in rows
    ]


def money(usd: Decimal, *, sign: bool = False) -> str:
    """With two decimals, half a cent up."""
    return f"{usd.quantize(CENT, ROUND_HALF_UP):{'+' if sign else ''},}"


def _database(sizes: Sizes, prices: Prices) -> list[Line]:
    copies, disk = Decimal(2 if sizes.standby else 1), Decimal(sizes.disk_gib)
    cpu, gib = sizes.cpu_and_gib
    return [
        Line("Cloud SQL CPU", cpu * HOURS * copies, prices.of["sql_vcpu_hour"]),
        Line("Cloud SQL memory", gib * HOURS * copies, prices.of["sql_gib_hour"]),
        Line("Cloud SQL disk", disk * copies, prices.of["sql_storage_gib"]),
        # As much as the disk holds: a backup after the first keeps what changed.
        Line("Cloud SQL backups", disk, prices.of["sql_backup_gib"]),
    ]


def _with(file: CronFile, entry: str, spec: FunctionSpec | None) -> CronFile:
    """The file with this one entry as it is in the other file."""
    jobs = {name: job for name, job in file.jobs.items() if name != entry}
    functions = {name: function for name, function in file.functions.items() if name != entry}
    if isinstance(spec, JobSpec):
        jobs[entry] = spec
    elif spec is not None:
        functions[entry] = spec
    return replace(file, jobs=jobs, functions=functions)


def _gib(memory: str) -> Decimal:
    return Decimal(memory[:-2]) / (1024 if memory.endswith("Mi") else 1)


def _short(quantity: Decimal) -> str:
    return f"{quantity:,.0f}" if quantity >= 100 or quantity == quantity.to_integral_value() else f"{quantity:,.2f}"


def _asked(price: Price) -> str:
    per = f" / {price.per:,}" if price.per != 1 else ""
    return f"{price.price.normalize():f}{per}" + ("" if price.verified else " ?")
