"""What does an alert or a message say? Its facts in the words of its template, in the language of this request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g

from functions.console.language import named
from functions.console.moments import zone
from functions.console.queries.alerts import Alert
from functions.console.queries.executions import Delivery
from functions.console.queries.inbox import Message
from shared import i18n, logs


def of_alert(alert: Alert) -> i18n.Text:
    rule = named(alert.rule_name, alert.rule_code)
    about = {
        "level": alert.alert_level,
        "target_no": alert.target_no,
        "target_name": alert.target_name,
        "rule_name": rule,
    }
    return _render(alert.rule_code, {**alert.facts, **about}, "NEW", rule)


def of_message(message: Message | Delivery) -> i18n.Text:
    about = {"target_no": message.target_no, "target_name": message.target_name}
    known = {name: value for name, value in about.items() if value is not None}
    return _render(message.type, {**known, **message.facts, "level": message.severity}, message.occasion, message.type)


def _render(type_: str, context: Mapping[str, Any], reason: str, otherwise: str) -> i18n.Text:
    from jinja2 import TemplateError

    try:
        return i18n.render(
            type_, g.language, {"time_zone": str(zone()), "rule_name": otherwise, **context}, reason=reason
        )
    except (TemplateError, ArithmeticError, ValueError, TypeError) as error:
        # One row whose facts lack what its template needs must not hide the rest of the list.
        logs.event("text_not_rendered", level=40, type=type_, error=f"{type(error).__name__}: {error}")
        title = " ".join(
            str(part) for part in (otherwise, context.get("target_no"), context.get("target_name")) if part
        )
        return i18n.Text(title, "", title[: i18n.SMS_LENGTH])
