"""Does somebody outside notice when Belfry itself is silent, and is nothing of it lying open?"""

from __future__ import annotations

from collections.abc import Iterator

from infra.policy.plan import Plan

SILENCE = 300  # seconds of the sweeper's


def silence_is_heard(plan: Plan) -> Iterator[str]:
    """Within five minutes of the sweeper's last commit Google writes to somebody."""
    metrics = [one for one in plan.of("logging_metric") if '"sweep-runs"' in str(one.get("filter"))]
    if not metrics:
        yield "google_logging_metric: none counts what sweep_runs commits"
    for metric in metrics:
        listening = [
            one
            for one in plan.of("monitoring_alert_policy")
            if f'/{metric.get("name")}"' in str(one.get("conditions.condition_absent.filter"))
            and int(one.get("conditions.condition_absent.duration").removesuffix("s")) <= SILENCE
            and one.get("notification_channels")
            and one.get("enabled") is not False
        ]
        if not listening:
            yield f"{metric.address}: no alert tells anybody when it stops"


def buckets_are_private(plan: Plan) -> Iterator[str]:
    """Sources can be made public by nobody, object by object or as a whole."""
    for one in plan.of("storage_bucket"):
        if one.get("public_access_prevention") != "enforced" or one.get("uniform_bucket_level_access") is not True:
            yield f"{one.address}: public_access_prevention or uniform_bucket_level_access is off"
