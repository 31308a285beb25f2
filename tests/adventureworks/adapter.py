"""How is Belfry pointed at a system that is not its own? Views of the erp contract's names over that system's tables.

AdventureWorks (Microsoft, MIT licence) is such a system: its files are loaded as they are into a schema of their own, and
adapter.sql puts views in place of the contract's tables. Nothing of Belfry knows the difference.
"""

from __future__ import annotations

import csv
import os
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

ROOT = Path(__file__).resolve().parents[2]
VIEWS = Path(__file__).with_name("adapter.sql")
FILES = ("BillOfMaterials", "Product", "ProductInventory", "ProductVendor", "PurchaseOrderDetail", "PurchaseOrderHeader", "Vendor")


def folder() -> Path:
    """Where the files are: BELFRY_TEST_DATA, else beside the project. Skips the test without them; in CI they must be there."""
    named = os.environ.get("BELFRY_TEST_DATA")
    place = Path(named or ROOT.parent / "shared" / "data" / "adventureworks")
    missing = [name for name in FILES if not (place / f"{name}.csv").is_file()]
    if missing:
        reason = f"the AdventureWorks files {', '.join(missing)} are not in {place}; set BELFRY_TEST_DATA to the folder that holds them"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return place


def load(db: Connection, place: Path) -> None:
    """Load the files as text into the schema adventureworks and put the views in place. The day is set by `as_of`."""
    db.execute(text("create schema adventureworks"))
    db.execute(text("create table adventureworks.as_of (day date not null)"))
    cursor = db.connection.cursor()
    for name in FILES:
        with (place / f"{name}.csv").open("rb") as file:
            header = next(csv.reader([file.readline().decode("utf-8")]))
            columns = ", ".join(f'"{column}" text' for column in header)
            db.execute(text(f'create table adventureworks."{name}" ({columns})'))
            cursor.execute(f'copy adventureworks."{name}" from stdin with (format csv)', stream=file)  # type: ignore[call-arg]
    for statement in VIEWS.read_text("utf-8").split(";\n"):
        if statement.strip():
            db.exec_driver_sql(statement)
    db.execute(text("analyze"))


def as_of(db: Connection, day: date) -> None:
    """Turn the whole system to a day: orders placed later are not there yet, work orders are planned from it on."""
    db.execute(text("delete from adventureworks.as_of"))
    db.execute(text("insert into adventureworks.as_of values (:day)"), {"day": day})
