"""The registry over the API: where file, table and Cloud Scheduler differ, and the reload that makes them equal."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify

from functions.console.access import ADMIN, MANAGE, VIEW, needs, person
from functions.console.api import bodies
from functions.console.database import db
from shared import scheduler_api
from shared.config import config
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFile, CronFileError
from shared.errors import InvalidRequest, Unavailable
from shared.operator import drift, reload
from shared.operator.reload import InvalidReload

routes = Blueprint("registry_api", __name__, url_prefix="/api/v1/jobs")
CRON_FILE = Path(__file__).parents[3] / "cron.yaml"
RELOAD = {"dry_run": bool, "reset_overrides": bool, "targets": dict, "reason": str, "cron_sha256": str}


@routes.get("/drift")
@needs(VIEW)
def drifted() -> Response:
    try:
        with scheduler_api.connect() as live:
            return jsonify(drift.drift(db(), _file(), live))
    except Unavailable as error:
        raise _away(error) from error


@routes.post("/reload")
@needs(MANAGE)
def reloaded() -> Response:
    """Makes table and Cloud Scheduler equal to cron.yaml, or says what that would change. The same again is harmless.

    `targets` (function -> URL, Terraform's output) and `reset_overrides` are an administrator's. `cron_sha256`: the
    file that the caller means; another one than this console's is refused.
    """
    body = bodies.read(RELOAD)
    targets, reset = body.get("targets"), body.get("reset_overrides", False)
    if (targets is not None or reset) and ADMIN not in person().may:
        raise InvalidRequest(403, "forbidden", "this needs another role", field="role", allowed=ADMIN)
    _check_targets(targets)
    file = _file()
    if "cron_sha256" in body and body["cron_sha256"] != sha256(CRON_FILE.read_bytes()).hexdigest():
        message = "this console was deployed with another cron.yaml; deploy it first"
        raise InvalidRequest(409, "other_cron_file", message, field="cron_sha256")
    asked: dict[str, Any] = {"reset_overrides": reset, "targets": targets}
    try:
        with scheduler_api.connect() as live:
            if body.get("dry_run", False):
                made = reload.plan(db(), file, live, **asked)
            else:
                made = reload.apply(db(), file, live, actor=person().subject, reason=body.get("reason"), **asked)
    except InvalidReload as error:
        raise InvalidRequest(422, "invalid_reload", str(error), field=error.plan.invalid[0][0]) from None
    except Unavailable as error:
        raise _away(error) from error
    return jsonify({**made.as_dict(), "dry_run": body.get("dry_run", False)})


def _file() -> CronFile:
    try:
        return load(CRON_FILE)
    except CronFileError as error:
        raise InvalidRequest(422, "invalid_cron_file", str(error), field="cron.yaml") from None


def _check_targets(targets: dict[str, Any] | None) -> None:
    """Function ids to URLs; in the cloud they are Cloud Run's own: a kick carries a token to where they point."""
    cloud = config().in_cloud
    for name, url in (targets or {}).items():
        parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
        google = parts.scheme == "https" and (parts.hostname or "").endswith((".run.app", ".cloudfunctions.net"))
        if not (google or (not cloud and parts.scheme == "http" and parts.hostname == "127.0.0.1")):
            allowed = "https://NAME.run.app of Terraform's output"
            raise InvalidRequest(400, "invalid_target", f"the target of {name[:64]} is no function's URL",
                                 field="targets", allowed=allowed)  # fmt: skip


def _away(error: Unavailable) -> InvalidRequest:
    return InvalidRequest(503, "scheduler_unavailable", str(error), field="Cloud Scheduler")
