"""Who may do what? The whole list: a right that is not on it is one too many."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.policy.plan import UNKNOWN, Plan, Resource

# Whoever publishes after a commit, and whoever starts runs.
JOBS = ("job", "sweeper", "databases", "integration")
KICKERS = ("scheduler", "sweeper", "dispatcher", "console")
WITH_DATABASE = (*JOBS, "dispatcher", "console", "channel", "migrate")

Right = tuple[str, str, str]  # (who, role, on what)
ALLOWED: frozenset[Right] = frozenset(
    {
        *((who, "roles/run.invoker", "job") for who in KICKERS),
        ("pubsub", "roles/run.invoker", "pushed function"),
        ("operator", "roles/run.invoker", "migrate"),
        ("google:iap", "roles/run.invoker", "console"),
        ("operator", "roles/iap.httpsResourceAccessor", "console"),
        ("person", "roles/iap.httpsResourceAccessor", "console"),
        ("person", "roles/iam.serviceAccountTokenCreator", "account operator"),
        ("google:pubsub", "roles/iam.serviceAccountTokenCreator", "account pubsub"),
        ("console", "roles/iam.serviceAccountUser", "account scheduler"),
        ("console", "roles/cloudscheduler.admin", "project"),
        ("console", "belfryReplay", "project"),
        ("console", "roles/pubsub.viewer", "topic notifications"),
        ("console", "roles/pubsub.subscriber", "subscription"),
        ("google:pubsub", "roles/pubsub.subscriber", "subscription"),
        ("google:pubsub", "roles/pubsub.publisher", "topic dead-letters"),
        *(
            (who, "roles/pubsub.publisher", f"topic {topic}")
            for who in JOBS
            for topic in ("notifications", "job-events")
        ),
        *((who, "roles/secretmanager.secretAccessor", "secret database-app-password") for who in WITH_DATABASE),
        ("migrate", "roles/secretmanager.secretAccessor", "secret database-migrator-password"),
        ("channel", "roles/secretmanager.secretAccessor", "secret email-password"),
        *((who, "roles/secretmanager.secretAccessor", "further secret") for who in (*JOBS, "channel")),
        ("builder", "roles/logging.logWriter", "project"),
        ("builder", "roles/storage.objectViewer", "project"),
        ("builder", "roles/artifactregistry.writer", "images"),
    }
)
_OURS = re.compile(r"serviceAccount:(?:belfry-)?([a-z-]+?)(-[a-z-]+)?@[a-z0-9-]+\.iam\.gserviceaccount\.com")
_GOOGLE = re.compile(r"serviceAccount:service-\d+@gcp-sa-([a-z]+)\.iam\.gserviceaccount\.com")
_SECRETS = ("database-app-password", "database-migrator-password", "email-password")


def rights_are_on_the_list(plan: Plan) -> Iterator[str]:
    """Every right that the plan gives is one of ALLOWED."""
    for address, right in given(plan):
        if not any(_fits(right, allowed) for allowed in ALLOWED):
            yield f"{address}: {right[0]} has {right[1]} on {right[2]}"


def given(plan: Plan) -> Iterator[tuple[str, Right]]:
    """(address, (who, role, on what)) of every IAM resource."""
    for one in plan.resources:
        if "_iam_" in one.type and not one.type.endswith("_iam_custom_role"):
            role = str(one.get("role"))
            for member in one.get("members") or [one.get("member")]:
                yield (
                    one.address,
                    (_who(member), role if role == UNKNOWN else role.split("/roles/")[-1], _what(plan, one)),
                )


def _fits(right: Right, allowed: Right) -> bool:
    return all(part in (UNKNOWN, other) for part, other in zip(right, allowed, strict=True))


def _who(member: str) -> str:
    if member == UNKNOWN:
        return UNKNOWN
    if google := _GOOGLE.fullmatch(member):
        return f"google:{google[1]}"
    if ours := _OURS.fullmatch(member):
        return ours[1]
    return "person" if member.startswith(("user:", "group:", "domain:")) else member


def _what(plan: Plan, one: Resource) -> str:
    kind = one.type.removeprefix("google_").rpartition("_iam_")[0]
    if kind == "cloud_run_v2_service":
        name = str(one.get("name"))
        return name if name in ("console", "migrate") else "pushed function" if name in plan.pushed else "job"
    if kind == "iap_web_cloud_run_service":
        return str(one.get("cloud_run_service_name"))
    if kind == "secret_manager_secret":
        secret = str(one.get("secret_id")).rpartition("/")[2]
        return f"secret {secret}" if secret in _SECRETS or secret == UNKNOWN else "further secret"
    if kind == "pubsub_topic":
        return f"topic {one.get('topic')}"
    if kind == "service_account":
        account = str(one.get("service_account_id"))
        return (
            account
            if account == UNKNOWN
            else f"account {account.rpartition('/')[2].partition('@')[0].removeprefix('belfry-')}"
        )
    names = {"pubsub_subscription": "subscription", "artifact_registry_repository": "images"}
    return names.get(kind, kind)
