"""An account's change is told by the same rule in Python and in SQL."""

from dataclasses import asdict

import pytest
from sqlalchemy import Connection, text

from shared.databases import accounts
from shared.rules.accounts import Known, Seen, change, is_alarming, privileges_hash
from tests.factories import LONG_AGO, Erp
from tests.shared.rules.account_cases import CASES

RUN = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(("known", "seen", "changed", "alarming"), CASES)
def test_a_change_has_one_name(known: Known | None, seen: Seen | None, changed: str | None, alarming: bool) -> None:
    assert change(known, seen) == changed
    if seen is not None:
        assert is_alarming(known, seen, first_look=False) is alarming
        assert is_alarming(known, seen, first_look=True) is False


def test_the_statement_says_the_same(db: Connection) -> None:
    """All cases at once, as the accounts of one instance."""
    erp = Erp(db)
    instance, seen_now = erp.db_instance(), []
    erp.db_instance_account(instance, username="bystander", is_active=False)
    for number, (known, seen, _, _) in enumerate(CASES):
        if known:
            erp.db_instance_account(instance, username=f"u{number:02}", **asdict(known))
        if seen:
            seen_now.append({"username": f"u{number:02}", "privileges": {}, **asdict(seen)})
    db.execute(accounts.merge(instance, seen_now, LONG_AGO, RUN))
    logged = db.execute(text("select username, change_type, diff ? 'alarming' from belfry.db_account_changes order by 1")).all()
    expected = [(f"u{n:02}", changed, alarming) for n, (_, _, changed, alarming) in enumerate(CASES) if changed]
    assert logged == expected


def test_at_the_first_look_nothing_is_alarming(db: Connection) -> None:
    instance = Erp(db).db_instance()
    root = {"username": "root", "privileges": {"*": ["SUPER"]}, "privileges_hash": "x", "is_superuser": True, "is_locked": False}
    db.execute(accounts.merge(instance, [root], LONG_AGO, RUN))
    assert db.execute(text("select change_type, diff ? 'alarming' from belfry.db_account_changes")).all() == [("ADD", False)]


def test_the_hash_of_privileges_knows_no_order() -> None:
    assert privileges_hash({"*": ["B", "A"], "x": ["C"]}) == privileges_hash({"x": ["C", "C"], "*": ["A", "B"], "y": []})
    assert privileges_hash({"*": ["A"]}) != privileges_hash({"x": ["A"]})
    assert privileges_hash({}) == privileges_hash({"*": []})
