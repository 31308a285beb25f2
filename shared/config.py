"""What the environment says, read once and checked with every bad name in one message (never a value)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

from shared import environment
from shared.errors import ConfigError

CHANNELS = ("system", "email", "wechat", "sms")
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off", ""}


@dataclass(frozen=True)
class Config:
    """The settings of one process; times are seconds."""

    database_url: str = ""
    project: str = "belfry-local"
    region: str = ""
    belfry_url: str = "http://127.0.0.1:8080"
    scheduler_address: str = ""
    pubsub_emulator_host: str = ""
    oidc_cert: str = ""
    callers: frozenset[str] = frozenset()
    audience: str = ""
    operators: frozenset[str] = frozenset()
    in_cloud: bool = False
    local_clock: bool = False
    view_token: str = ""
    manage_token: str = ""
    log_level: str = "INFO"
    pool_size: int = 1
    pool_overflow: int = 1
    socket_timeout: float = 5.0
    lease: float = 90.0
    email_enabled: bool = False
    email_server: str = ""
    email_port: int = 587
    email_username: str = ""
    email_password: str = ""
    email_from: str = ""
    email_timeout: float = 20.0
    wechat_enabled: bool = False
    wechat_webhook_url: str = ""
    sms_enabled: bool = False

    def __repr__(self) -> str:
        return "Config(...)"  # the values hold secrets; a traceback must not show them

    @property
    def channels(self) -> list[str]:
        """The channels that are switched on, in the order in which they stand in for each other."""
        on = {"system": True, "email": self.email_enabled, "wechat": self.wechat_enabled, "sms": self.sms_enabled}
        return [channel for channel in CHANNELS if on[channel]]


class _Reader:
    """Reads typed values and collects what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env, self.errors = env, []  # type: Mapping[str, str], list[str]

    def text(self, name: str, default: str = "") -> str:
        value = self.env.get(name, default)
        if value != value.strip():
            self.errors.append(f"{name} begins or ends with white space (a secret stored with its newline?)")
        return value.strip()

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.text(name, str(default)).lower()
        if value not in _TRUE | _FALSE:
            self.errors.append(f"{name} must be true or false")
        return value in _TRUE

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self.text(name) or str(default)
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            self.errors.append(f"{name} must be a number from {low:g} to {high:g}")
            return default
        return number


def read(env: Mapping[str, str]) -> Config:
    """Build the settings from an environment.

    Raises ConfigError with one line for each bad name; values are never shown.
    """
    r = _Reader(env)
    in_cloud = bool(r.text("K_SERVICE"))
    values: dict[str, Any] = {
        "database_url": _database_url(r),
        "project": r.text("GOOGLE_CLOUD_PROJECT", "" if in_cloud else "belfry-local"),
        "region": r.text("BELFRY_REGION"),
        "belfry_url": r.text("BELFRY_URL", "http://127.0.0.1:8080").rstrip("/"),
        "scheduler_address": r.text("SCHEDULER_ADDRESS"),
        "pubsub_emulator_host": r.text("PUBSUB_EMULATOR_HOST"),
        "oidc_cert": r.text("BELFRY_OIDC_CERT"),
        "callers": frozenset(r.text("BELFRY_CALLERS").split()),
        "audience": r.text("BELFRY_AUDIENCE"),
        "operators": frozenset(r.text("BELFRY_OPERATORS").lower().split()),
        "in_cloud": in_cloud,
        "local_clock": r.flag("BELFRY_LOCAL_CLOCK"),
        "view_token": r.text("BELFRY_VIEW_TOKEN"),
        "manage_token": r.text("BELFRY_MANAGE_TOKEN"),
        "log_level": r.text("LOG_LEVEL", "INFO").upper(),
        "pool_size": int(r.number("DB_POOL_SIZE", 1, 1, 50)),
        "pool_overflow": int(r.number("DB_POOL_OVERFLOW", 1, 0, 50)),
        "socket_timeout": r.number("DB_SOCKET_TIMEOUT", 5, 0.2, 60),
        "lease": r.number("BELFRY_LEASE", 90, 0.2, 600),
        "email_enabled": r.flag("EMAIL_ENABLED"),
        "email_server": r.text("EMAIL_SMTP_SERVER"),
        "email_port": int(r.number("EMAIL_SMTP_PORT", 587, 1, 65535)),
        "email_username": r.text("EMAIL_USERNAME"),
        "email_password": r.text("EMAIL_PASSWORD"),
        "email_from": r.text("EMAIL_FROM"),
        "email_timeout": r.number("EMAIL_TIMEOUT", 20, 0.2, 120),
        "wechat_enabled": r.flag("WECHAT_ENABLED"),
        "wechat_webhook_url": r.text("WECHAT_WEBHOOK_URL"),
        "sms_enabled": r.flag("SMS_ENABLED"),
    }
    config = Config(**values)
    if not config.database_url.startswith(("postgresql://", "postgres://")):
        r.errors.append("DATABASE_URL must be set, in the form postgresql://user:password@host:port/database")
    if config.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        r.errors.append("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
    r.errors += environment.complaints(env, email=config.email_enabled, wechat=config.wechat_enabled)
    for name, token in (("BELFRY_VIEW_TOKEN", config.view_token), ("BELFRY_MANAGE_TOKEN", config.manage_token)):
        if token and len(token) < 32:
            r.errors.append(f"{name} must have at least 32 characters")
    if r.errors:
        raise ConfigError("environment: " + "; ".join(r.errors))
    return config


def _database_url(r: _Reader) -> str:
    """DATABASE_URL, with DATABASE_PASSWORD in it where the password is a secret of its own."""
    url = r.text("DATABASE_URL")
    if "DATABASE_PASSWORD" not in r.env:
        return url
    password = r.text("DATABASE_PASSWORD")
    parts = urlsplit(url)
    if not password:
        r.errors.append("DATABASE_PASSWORD must not be empty")
    if not parts.username or parts.password:
        r.errors.append("DATABASE_URL must name a user and no password when DATABASE_PASSWORD is set")
    user, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}").geturl()


@cache
def config() -> Config:
    """The settings of this process."""
    return read(os.environ)


def at_start() -> None:
    """Ends a function's server before it serves (exit 1), with one line that names everything that is wrong.

    The environment is read once an instance: a rotated secret arrives with the next revision.
    """
    if "FUNCTION_TARGET" not in os.environ:  # somebody else imported the function
        return
    try:
        config()
    except ConfigError as error:
        line = {"severity": "CRITICAL", "event": "environment_refused", "message": str(error)}
        print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def credential(ref: str) -> str:
    """The secret that a source or an instance names: CREDENTIAL_<REF> of this process's environment, never of a table.

    Raises ConfigError naming the variable.
    """
    name = "CREDENTIAL_" + "".join(c if c.isalnum() else "_" for c in ref.upper())
    secret = os.environ.get(name, "")
    if not secret or secret != secret.strip():
        raise ConfigError(f"{name} must be set, without white space around it")
    return secret


def app_password() -> str | None:
    """DATABASE_APP_PASSWORD, what functions log in with: `migrate` gives it to their role. None: they need none here.

    Raises ConfigError naming the variable where it is missing in the cloud, empty, or has white space around it.
    """
    password = os.environ.get("DATABASE_APP_PASSWORD")
    if (password is None and config().in_cloud) or password == "" or (password or "").strip() != (password or ""):
        raise ConfigError("DATABASE_APP_PASSWORD must be set, without white space around it")
    return password
