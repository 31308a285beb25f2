"""Structured logs: one JSON object a line, an event name and its fields, never a secret."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from shared.config import config

_context: ContextVar[dict[str, Any]] = ContextVar("log_context", default={})  # noqa: B039 (never mutated: replaced by bind)
_RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_SECRETS = (
    (re.compile(r"((?:postgres(?:ql)?|mysql|mariadb)(?:\+\w+)?://[^:/\s@]*):[^@\s]+@"), r"\1:***@"),
    (re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]+"), r"\1 ***"),
    (re.compile(r"(?i)\b(key|token|password|secret|access_key_id|signature)(=|\"?:\s*\"?)[^\s&\",}]+"), r"\1\2***"),
    (re.compile(r"\b(1[3-9]\d)\d{4}(\d{4})\b"), r"\1****\2"),
    (re.compile(r"\b([\w.+-])[\w.+-]*@([\w-]+\.[\w.-]+)"), r"\1***@\2"),
)
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)
_PLAIN = frozenset({"owner", "job_id", "execution_id", "event"})  # an owner is a role's mailbox, not a person's


# What every pattern above needs to match; most strings hold none of it.
_SUSPICIOUS = re.compile(r"(?i)://|bearer|key|token|password|secret|signature|1[3-9]\d{9}|@")


def redact(text: str) -> str:
    """The text without passwords, tokens, phone numbers and mail addresses."""
    if _SUSPICIOUS.search(text):
        for pattern, replacement in _SECRETS:
            text = pattern.sub(replacement, text)
    return text


def _clean(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return value if key in _PLAIN else redact(value)
    if isinstance(value, dict):
        return {k: _clean(k, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(key, v) for v in value]
    return value


class JsonFormatter(logging.Formatter):
    """A record as Cloud Logging reads it: severity, message, event, timestamp (UTC), context, fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {k: v for k, v in vars(record).items() if k not in _RESERVED}
        line: dict[str, Any] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            **_context.get(),
            **fields,
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["stack"] = self.formatException(record.exc_info)
        words = _ENCODER.encode({k: _clean(k, v) for k, v in line.items()})
        return words.encode("utf-8", "backslashreplace").decode()  # a lone surrogate would lose the whole line


def configure() -> logging.Logger:
    """Belfry's logger, writing to stdout; repeated calls change nothing."""
    logger = logging.getLogger("belfry")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
        logger.setLevel(config().log_level)
        logger.propagate = False
    return logger


def bind(**fields: Any) -> None:
    """Put these fields on every later line of this request."""
    _context.set({**_context.get(), **fields})


def clear() -> None:
    """Forget the fields of the last request."""
    _context.set({})


def event(name: str, *, level: int = logging.INFO, exc_info: BaseException | None = None, **fields: Any) -> None:
    """Write one event, e.g. event("job_run_success", duration_ms=12)."""
    configure().log(level, name, extra={"event": name, **fields}, exc_info=exc_info)
