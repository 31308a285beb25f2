"""Is every secret read from its drawer, in a version that somebody chose?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from infra.policy.plan import UNKNOWN, Plan

_SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|API_?KEY|WEBHOOK")


def secrets_are_pinned(plan: Plan) -> Iterator[str]:
    """A version is a number: "latest" would change a function without a deployment, and no rollback would undo it."""
    for address, name, version in _read(plan):
        if not re.fullmatch(r"[1-9]\d*", str(version)):
            yield f"{address}: {name} reads version {version!r}"


def every_function_has_its_password(plan: Plan) -> Iterator[str]:
    """The database's password comes to each as a secret of its own."""
    with_password = {address for address, name, _ in _read(plan) if name == "DATABASE_PASSWORD"}
    for one in (*plan.functions.values(), *plan.of("cloud_run_v2_service")):
        if one.address not in with_password:
            yield f"{one.address}: no DATABASE_PASSWORD from Secret Manager"


def nothing_secret_is_written_down(plan: Plan) -> Iterator[str]:
    """No secret in a plain variable, and no value of a secret in the state."""
    for one in plan.functions.values():
        for name, value in (one.get("service_config.environment_variables") or {}).items():
            yield from _plain(one.address, name, value)
    for one in plan.of("cloud_run_v2_service"):
        for variable in one.all("template.containers"):
            for env in variable.get("env") or []:
                if not env.get("value_source"):
                    yield from _plain(one.address, env["name"], env.get("value"))
    for one in plan.of("secret_manager_secret_version"):
        if one.get("secret_data"):
            yield f"{one.address}: secret_data stays in the state"
    for one in plan.of("sql_user"):
        if one.get("password"):
            yield f"{one.address}: password stays in the state; password_wo does not"


def _plain(address: str, name: str, value: Any) -> Iterator[str]:
    told = value != UNKNOWN and bool(urlsplit(str(value)).password)
    if _SECRET_NAME.search(name) or told:
        yield f"{address}: {name} is a plain variable"


def _read(plan: Plan) -> Iterator[tuple[str, str, Any]]:
    """(address, variable, version) of every secret that is read."""
    for one in plan.functions.values():
        for secret in one.all("service_config.secret_environment_variables"):
            yield one.address, secret["key"], secret["version"]
    for one in plan.of("cloud_run_v2_service"):
        for container in one.all("template.containers"):
            for env in container.get("env") or []:
                for source in env.get("value_source") or []:
                    for reference in source.get("secret_key_ref") or []:
                        yield one.address, env["name"], reference.get("version")
