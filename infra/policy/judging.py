"""Which policies does a plan break?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.policy import callers, database, messages, rights, secrets, watching
from infra.policy.plan import Plan

POLICIES: tuple[Callable[[Plan], Iterator[str]], ...] = (
    callers.nobody_is_everybody,
    callers.functions_are_internal,
    callers.kicks_stay_inside,
    callers.accounts_are_our_own,
    callers.rings_are_signed,
    callers.pushes_are_signed,
    messages.topics_reach_back,
    messages.subscriptions_last,
    messages.dead_letters_are_kept,
    secrets.secrets_are_pinned,
    secrets.every_function_has_its_password,
    secrets.nothing_secret_is_written_down,
    rights.rights_are_on_the_list,
    database.database_is_private,
    database.database_can_be_brought_back,
    database.connections_suffice,
    watching.silence_is_heard,
    watching.buckets_are_private,
)


def complaints(shown: Mapping[str, Any]) -> dict[str, list[str]]:
    """Policy -> what breaks it, of what `terraform show -json` says of a plan or a state; empty when all is well."""
    plan = Plan.read(shown)
    found = {policy.__name__: list(policy(plan)) for policy in POLICIES}
    return {name: broken for name, broken in found.items() if broken}
