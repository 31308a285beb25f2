"""The jobs of stock, quality and outsourcing, over the demo factory, find exactly what its titles promise."""

from typing import Any

from sqlalchemy import Connection

from tests.infra.test_demo_jobs import levels, morning, promises

__all__ = ["morning"]


def test_outsourcing_orders(morning: Any, db: Connection) -> None:
    morning("check_outsourcing_delivery_alerts", "15:00")
    assert levels(db, "OUTSOURCING_DELIVERY") == promises(db, "outsourcing_orders", "order_title")
