"""How does a test get business rows? `Erp(db).issue(due_date=...)`: a method per table, defaults filled, answers ids.

Whatever a row must point to is made with it, unless it is given (`project_id=None` means none).
"""

from tests.factories.changes import Changes
from tests.factories.databases import Databases
from tests.factories.issues import Issues
from tests.factories.materials import Materials
from tests.factories.production import Production
from tests.factories.rows import LONG_AGO, TODAY
from tests.factories.sales import Sales
from tests.factories.tasks import Tasks

__all__ = ["LONG_AGO", "TODAY", "Erp"]


class Erp(Changes, Databases, Issues, Materials, Production, Sales, Tasks):
    """Every table of the company's own system."""
