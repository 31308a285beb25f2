from decimal import Decimal

import pytest

from shared.rules.purchasing import delivery_level
from shared.rules.shortages import shortage_impact, shortage_level
from tests.shared.rules.shortage_cases import DELIVERY_LEVELS, IMPACTS, SHORTAGE_LEVELS


@pytest.mark.parametrize(("days_left", "impact", "share", "level"), SHORTAGE_LEVELS)
def test_shortage_level(days_left: int | None, impact: str, share: str, level: str) -> None:
    said = shortage_level(days_left, impact, Decimal(share), critical_days=3, warning_days=7, minor_percent=5)
    assert said == level


@pytest.mark.parametrize(("started", "key_item", "delay", "slack", "impact"), IMPACTS)
def test_shortage_impact(started: bool, key_item: bool, delay: int | None, slack: int | None, impact: str) -> None:
    assert shortage_impact(started=started, key_item=key_item, delay_days=delay, slack_days=slack) == impact


@pytest.mark.parametrize(("days_late", "feeds", "promised_late", "level"), DELIVERY_LEVELS)
def test_delivery_level(days_late: int | None, feeds: bool, promised_late: bool, level: str | None) -> None:
    said = delivery_level(days_late, feeds_shortage=feeds, promised_late=promised_late, critical_days=7, urgent_days=14)
    assert said == level
