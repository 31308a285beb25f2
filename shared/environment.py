"""Which settings do not go together? Rules over the environment; a complaint names a variable, never its value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

WECOM, WECOM_PATH = "qyapi.weixin.qq.com", "/cgi-bin/webhook/send"
CREDENTIAL = "CREDENTIAL_"  # what a source or a watched instance is read with
APP_PASSWORD = "DATABASE_APP_PASSWORD"  # noqa: S105  the name of what `migrate` gives to the role of all other functions
# Of a laptop; in the cloud they would open a door.
LOCAL_ONLY = ("BELFRY_LOCAL_CLOCK", "BELFRY_VIEW_TOKEN", "BELFRY_MANAGE_TOKEN")
CLOUD_NEEDS = ("BELFRY_CALLERS", "BELFRY_AUDIENCE", "GOOGLE_CLOUD_PROJECT")
_SENDER = re.compile(r"([^<>@,\r\n]*<)?[^<>@,\s]+@[^<>@,\s]+>?")


def complaints(env: Mapping[str, str], *, email: bool, wechat: bool) -> Iterator[str]:
    """What is wrong with these variables beside each other; `email`, `wechat`: the channel is switched on."""
    in_cloud = bool(env.get("K_SERVICE", "").strip())
    yield from _email(env, enabled=email, in_cloud=in_cloud)
    yield from _wechat(env, enabled=wechat, in_cloud=in_cloud)
    for name, value in sorted(env.items()):
        if (name.startswith(CREDENTIAL) or name == APP_PASSWORD) and (not value or value != value.strip()):
            yield f"{name} must not be empty or have white space around it (a secret stored with its newline?)"
    if in_cloud:
        yield from (f"{name} must not be set in the cloud" for name in LOCAL_ONLY if env.get(name))
        yield from (f"{name} must be set in the cloud" for name in CLOUD_NEEDS if not env.get(name, "").strip())
        if env["K_SERVICE"].strip() == "migrate" and APP_PASSWORD not in env:
            yield f"{APP_PASSWORD} must be set in the cloud"
        yield from _addresses(env)


def _email(env: Mapping[str, str], *, enabled: bool, in_cloud: bool) -> Iterator[str]:
    given = {name: env.get(name, "").strip() for name in ("EMAIL_SMTP_SERVER", "EMAIL_FROM")}
    if enabled:
        yield from (f"{name} must be set when EMAIL_ENABLED is true" for name, value in given.items() if not value)
    if given["EMAIL_FROM"] and not _SENDER.fullmatch(given["EMAIL_FROM"]):
        yield "EMAIL_FROM must be one address"
    user, password = env.get("EMAIL_USERNAME", "").strip(), env.get("EMAIL_PASSWORD", "").strip()
    if user and not password:
        yield "EMAIL_PASSWORD must be set when EMAIL_USERNAME is"
    elif password and not user:
        yield "EMAIL_USERNAME must be set when EMAIL_PASSWORD is"
    elif in_cloud and "EMAIL_PASSWORD" in env and not password:
        yield "EMAIL_PASSWORD must not be empty"


def _wechat(env: Mapping[str, str], *, enabled: bool, in_cloud: bool) -> Iterator[str]:
    """The key is in the address: only the channel has it, and it goes to one host (a sink on a laptop)."""
    url = env.get("WECHAT_WEBHOOK_URL", "").strip()
    sender = "notify_wechat" in (env.get("K_SERVICE", "").replace("-", "_"), env.get("FUNCTION_TARGET", ""))
    if not url:
        if enabled and sender:
            yield "WECHAT_WEBHOOK_URL must be set when WECHAT_ENABLED is true"
        return
    try:
        parts = urlsplit(url)
        real = (parts.scheme, parts.netloc, parts.path) == ("https", WECOM, WECOM_PATH)
        sink = not in_cloud and parts.hostname == "127.0.0.1" and not parts.username
    except ValueError:
        real = sink = False
    if not real and not sink:
        yield f"WECHAT_WEBHOOK_URL must begin with https://{WECOM}{WECOM_PATH}"


def _addresses(env: Mapping[str, str]) -> Iterator[str]:
    audience, console = env.get("BELFRY_AUDIENCE", "").strip(), env["K_SERVICE"].strip() == "console"
    wanted = "/projects/" if console else "https://"
    if audience and not audience.startswith(wanted):
        yield f"BELFRY_AUDIENCE must begin with {wanted}" + (
            " (what Identity-Aware Proxy signs for)" if console else ""
        )
