"""What does an hour of somebody cost on a day, and which month is calculated? (rulebook 6.4, job 37)"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal


@dataclass(frozen=True)
class Rate:
    """An hourly rate for a user, role or department (`whom`; none for everybody), valid from a day to a day."""

    scope: str
    whom: int | None
    hourly: Decimal
    effective: date | None = None
    expiry: date | None = None
    active: bool = True


def period_before(day: date) -> date:
    """The first day of the month before that day's: in January, December of last year."""
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def rate_on(
    day: date, rates: Iterable[Rate], user: int, roles: Iterable[int], department: int | None
) -> Decimal | None:
    """The user's own rate, else the highest of their roles', else their department's, else everybody's; or none.

    Of several that are valid on the day the newest counts.
    """
    newest: dict[tuple[str, int | None], Rate] = {}
    for rate in rates:
        since, until = rate.effective or date.min, rate.expiry or date.max
        known = newest.get((rate.scope, rate.whom))
        if rate.active and since <= day <= until and (known is None or since >= (known.effective or date.min)):
            newest[rate.scope, rate.whom] = rate
    of_roles = [newest["ROLE", role].hourly for role in roles if ("ROLE", role) in newest]
    if ("USER", user) in newest:
        return newest["USER", user].hourly
    if of_roles:
        return max(of_roles)
    others = [newest[key] for key in (("DEPT", department), ("DEFAULT", None)) if key in newest]
    return others[0].hourly if others else None


def amount(time: Iterable[tuple[Decimal, Decimal, str]], factors: Mapping[str, Decimal]) -> Decimal:
    """Money for (hours, rate, kind of time), rounded once."""
    total = sum((hours * rate * factors[kind] for hours, rate, kind in time), Decimal(0))
    return total.quantize(Decimal("0.01"), "ROUND_HALF_UP")
