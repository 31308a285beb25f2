"""AdventureWorks in place of the company's own system."""

import pytest
from sqlalchemy import Connection

from tests.adventureworks import adapter
from tests.adventureworks.oracle import Files


@pytest.fixture(scope="session")
def files() -> Files:
    """The files as the independent figures read them."""
    return Files(adapter.folder())


@pytest.fixture
def adventureworks(db: Connection, files: Files) -> Connection:
    """A database whose erp contract is views over AdventureWorks; turn it to a day with `adapter.as_of`."""
    adapter.load(db, files.place)
    return db
