"""Who reaches a function, and as whom does it run?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.policy.plan import UNKNOWN, Plan, Resource

EVERYBODY = ("allUsers", "allAuthenticatedUsers")
# Called by an engineer from outside; IAM lets one account in.
FROM_OUTSIDE = "migrate"
# Whose calls of other functions count as internal only when they go through the VPC.
KICKERS = ("sweep-runs", "dispatch-dependents")


def nobody_is_everybody(plan: Plan) -> Iterator[str]:
    """No right goes to everybody on the internet, or to everybody with a Google account."""
    for one in plan.resources:
        for member in {one.get("member"), *(one.get("members") or [])} & set(EVERYBODY):
            yield f"{one.address}: {member}"


def functions_are_internal(plan: Plan) -> Iterator[str]:
    """Only the project's own Cloud Scheduler, Pub/Sub and VPC reach a function; people meet the proxy."""
    for name, one in plan.functions.items():
        ingress = one.get("service_config.ingress_settings")
        if ingress != ("ALLOW_ALL" if name == FROM_OUTSIDE else "ALLOW_INTERNAL_ONLY"):
            yield f"{one.address}: ingress_settings is {ingress}"
    for one in plan.of("cloud_run_v2_service"):
        if one.get("iap_enabled") is not True:
            yield f"{one.address}: Identity-Aware Proxy does not stand before it"


def kicks_stay_inside(plan: Plan) -> Iterator[str]:
    """Whoever starts runs sends every call through the VPC; a call over the internet would be refused."""
    for name in KICKERS:
        if name in plan.functions and plan.functions[name].get("service_config.direct_vpc_egress") != (
            "VPC_EGRESS_ALL_TRAFFIC"
        ):
            yield f"{plan.functions[name].address}: direct_vpc_egress is not VPC_EGRESS_ALL_TRAFFIC"
    for one in plan.of("cloud_run_v2_service"):
        if one.get("template.vpc_access.egress") != "ALL_TRAFFIC":
            yield f"{one.address}: egress is not ALL_TRAFFIC"
    for one in plan.of("compute_subnetwork"):
        if one.get("private_ip_google_access") is not True:
            yield f"{one.address}: private_ip_google_access is off"


def accounts_are_our_own(plan: Plan) -> Iterator[str]:
    """Nothing runs or is built as a default account, which may edit the whole project."""
    for one in plan.functions.values():
        yield from _own(one, "service_config.service_account_email")
        yield from _own(one, "build_config.service_account")
    for one in plan.of("cloud_run_v2_service"):
        yield from _own(one, "template.service_account")


def _own(one: Resource, path: str) -> Iterator[str]:
    account = one.get(path)
    if account != UNKNOWN and not re.search(r"\bbelfry-[a-z-]+@[a-z0-9-]+\.iam\.gserviceaccount\.com$", account or ""):
        yield f"{one.address}: {path} is {account}"


def rings_are_signed(plan: Plan) -> Iterator[str]:
    """Cloud Scheduler calls with a token for that very function, tries three times more, and waits for its end."""
    for one in plan.of("cloud_scheduler_job"):
        uri, token = one.get("http_target.uri"), one.get("http_target.oidc_token")
        if not token or not one.get("http_target.oidc_token.service_account_email"):
            yield f"{one.address}: no OIDC token"
        elif one.get("http_target.oidc_token.audience") != uri:
            yield f"{one.address}: the token's audience is not the function's address"
        if one.get("retry_config.retry_count") != 3:
            yield f"{one.address}: retry_count is not 3"
        deadline = int(str(one.get("attempt_deadline") or "0s").removesuffix("s"))
        function = plan.functions.get(str(one.get("name")).replace("_", "-"))
        patience = function.get("service_config.timeout_seconds") if function else None
        if not 15 <= deadline <= 1800 or (isinstance(patience, int) and deadline < patience):
            yield f"{one.address}: attempt_deadline is {deadline} s, the function's own limit {patience} s"


def pushes_are_signed(plan: Plan) -> Iterator[str]:
    """Pub/Sub pushes with a token for that very function."""
    for one in plan.of("pubsub_subscription"):
        if one.get("push_config"):
            if not one.get("push_config.oidc_token.service_account_email"):
                yield f"{one.address}: no OIDC token"
            elif one.get("push_config.oidc_token.audience") != one.get("push_config.push_endpoint"):
                yield f"{one.address}: the token's audience is not the function's address"
