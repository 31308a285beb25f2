"""Cases of the kit rules (rulebook 6.2, 9.2 job 18), for the rule in Python and for the same rule in SQL."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from tests.factories import TODAY


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


@dataclass(frozen=True)
class Case:
    """Orders are numbered from 1 in the order in which they were made; one material unless a need names another."""

    name: str
    needs: list[dict[str, object]]  # quantity, start (days from today), priority, material
    items: list[tuple[str, str, str, str, int | None]]  # status, on hand, in transit, short, eta (days from today)
    stock: dict[str, str] = field(default_factory=dict)
    receipts: list[tuple[str, int | None]] = field(default_factory=list)  # of material "M": quantity, eta


ALLOCATIONS = [
    Case("two orders share ten pieces and need eight each", [{"quantity": 8}, {"quantity": 8}], stock={"M": "10"},
         items=[("FULFILLED", "8", "0", "0", None), ("SHORTAGE", "2", "0", "6", None)]),
    Case("a purchase that comes on the day of the start is in time", [{"quantity": 5, "start": 3}], receipts=[("5", 3)],
         items=[("FULFILLED", "0", "5", "0", 3)]),
    Case("a purchase that comes one day after the start is in transit", [{"quantity": 5, "start": 3}], receipts=[("5", 4)],
         items=[("IN_TRANSIT", "0", "0", "5", 4)]),
    Case("a purchase without a date covers nothing", [{"quantity": 5, "start": 3}], receipts=[("5", None)],
         items=[("SHORTAGE", "0", "0", "5", None)]),
    Case("stock goes first, then the earlier receipt, then the later", [{"quantity": 10, "start": 3}], stock={"M": "4"},
         receipts=[("3", 9), ("3", 2)], items=[("IN_TRANSIT", "4", "3", "3", 9)]),
    Case("the earlier start wins whatever the order's number", [{"quantity": 8, "start": 4}, {"quantity": 8, "start": 1}],
         stock={"M": "10"}, items=[("SHORTAGE", "2", "0", "6", None), ("FULFILLED", "8", "0", "0", None)]),
    Case("on one day the higher priority wins, an unknown word is normal",
         [{"quantity": 5, "priority": "LOW"}, {"quantity": 5, "priority": "whenever"}, {"quantity": 5, "priority": "URGENT"}],
         stock={"M": "10"},
         items=[("SHORTAGE", "0", "0", "5", None), ("FULFILLED", "5", "0", "0", None), ("FULFILLED", "5", "0", "0", None)]),
    Case("what a late order waits for is not promised to the next one",
         [{"quantity": 5, "start": 1}, {"quantity": 5, "start": 5}], receipts=[("5", 3)],
         items=[("IN_TRANSIT", "0", "0", "5", 3), ("SHORTAGE", "0", "0", "5", None)]),
    Case("the second order gets what the first leaves of a receipt", [{"quantity": 3, "start": 1}, {"quantity": 4, "start": 3}],
         receipts=[("5", 3), ("2", 6)], items=[("IN_TRANSIT", "0", "0", "3", 3), ("IN_TRANSIT", "0", "2", "2", 6)]),
    Case("a receipt that covers only part leaves a shortage", [{"quantity": 9, "start": 1}], stock={"M": "2"}, receipts=[("5", 3)],
         items=[("SHORTAGE", "2", "0", "7", None)]),
    Case("negative stock counts as none", [{"quantity": 5, "start": 1}], stock={"M": "-40"}, receipts=[("5", 1)],
         items=[("FULFILLED", "0", "5", "0", 1)]),
    Case("fractions are exact", [{"quantity": "0.3"}], stock={"M": "0.3000"}, items=[("FULFILLED", "0.3", "0", "0", None)]),
    Case("materials do not help each other", [{"quantity": 5, "material": "N"}], stock={"M": "10", "N": "4"},
         items=[("SHORTAGE", "4", "0", "1", None)]),
    Case("an overdue purchase counts for a start that is still to come", [{"quantity": 5, "start": 0}], receipts=[("5", -9)],
         items=[("FULFILLED", "0", "5", "0", -9)]),
]

# rate, days to start, can start, started -> level, with min_rate 80 and critical_days 2
LEVELS = [
    ("80", 5, False, False, None),
    ("79.99", 5, False, False, "WARNING"),
    ("79.99", 3, False, False, "WARNING"),
    ("79.99", 2, False, False, "CRITICAL"),
    ("80", 2, False, False, None),
    ("80", 0, False, False, "URGENT"),
    ("100", 0, False, False, "URGENT"),
    ("100", 0, True, False, None),
    ("0", 0, False, False, "URGENT"),
    ("90", -1, False, False, "URGENT"),
    ("79.99", 0, False, True, "CRITICAL"),
    ("79.99", -30, False, True, "CRITICAL"),
    ("90", 0, False, True, None),
    ("79.99", None, False, True, "WARNING"),
]

# fulfilled, total, a key material is missing -> status, rate
STATUSES = [
    (0, 0, False, "NO_BOM", None),
    (10, 10, False, "COMPLETE", Decimal("100.00")),
    (8, 10, False, "PARTIAL", Decimal("80.00")),
    (8, 10, True, "SHORTAGE", Decimal("80.00")),
    (79, 99, False, "SHORTAGE", Decimal("79.80")),
    (2, 3, False, "SHORTAGE", Decimal("66.67")),
    (0, 3, False, "SHORTAGE", Decimal("0.00")),
]
