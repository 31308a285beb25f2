"""Does the database outlive a mistake, stay out of sight, and have a connection for everybody?"""

from __future__ import annotations

from collections.abc import Iterator

from infra.policy.plan import Plan

LEAST_RESERVE = 10  # Cloud SQL's own connections, and a person's


def database_is_private(plan: Plan) -> Iterator[str]:
    """It has a private address only, and speaks TLS only."""
    for one in plan.of("sql_database_instance"):
        if one.get("settings.ip_configuration.ipv4_enabled") is not False:
            yield f"{one.address}: it has a public address"
        if not one.get("settings.ip_configuration.private_network"):
            yield f"{one.address}: it is in no private network"
        if one.get("settings.ip_configuration.ssl_mode") not in (
            "ENCRYPTED_ONLY",
            "TRUSTED_CLIENT_CERTIFICATE_REQUIRED",
        ):
            yield f"{one.address}: connections without TLS are let in"


def database_can_be_brought_back(plan: Plan) -> Iterator[str]:
    """Backups, every moment of the last week, and nobody destroys it by accident."""
    for one in plan.of("sql_database_instance"):
        if one.get("deletion_protection") is not True or one.get("settings.deletion_protection_enabled") is not True:
            yield f"{one.address}: deletion_protection is off"
        backup = "settings.backup_configuration"
        if one.get(f"{backup}.enabled") is not True or one.get(f"{backup}.point_in_time_recovery_enabled") is not True:
            yield f"{one.address}: no backups, or no point-in-time recovery"
        if (one.get(f"{backup}.transaction_log_retention_days") or 0) < 7:
            yield f"{one.address}: less than seven days to go back to"


def connections_suffice(plan: Plan) -> Iterator[str]:
    """All functions at once, each with its whole pool, fit into max_connections with some left."""
    needed = 0
    for one in plan.functions.values():
        settings = one.get("service_config.environment_variables") or {}
        needed += one.get("service_config.max_instance_count") * _pool(settings)
    for one in plan.of("cloud_run_v2_service"):
        container = one.all("template.containers")[0]
        settings = {env["name"]: env.get("value") for env in container.get("env") or []}
        needed += one.get("template.scaling.max_instance_count") * _pool(settings)
    for one in plan.of("sql_database_instance"):
        flags = {flag["name"]: flag["value"] for flag in one.all("settings.database_flags")}
        if "max_connections" not in flags:
            yield f"{one.address}: max_connections is not set; its default depends on the machine"
        elif needed + LEAST_RESERVE > int(flags["max_connections"]):
            yield f"{one.address}: functions need {needed} connections of {flags['max_connections']}"


def _pool(settings: dict[str, str]) -> int:
    """Connections of one instance; what is not said is shared/config.py's own."""
    return int(settings.get("DB_POOL_SIZE", 1)) + int(settings.get("DB_POOL_OVERFLOW", 1))
