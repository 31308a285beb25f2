import pytest

from shared.rules.outsourcing import outsourcing_level
from tests.shared.rules.outsourcing_cases import LEVELS


@pytest.mark.parametrize(("days", "estimated_late", "level"), LEVELS)
def test_level(days: int, estimated_late: bool, level: str | None) -> None:
    told = outsourcing_level(days, estimated_late=estimated_late, before_days=3, urgent_after_days=7)
    assert told == level
