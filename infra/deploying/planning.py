"""What would a deployment change? The whole plan, held against every policy before anybody applies it."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

from infra.commands import package
from infra.commands.outcome import BadInputError
from infra.deploying import project
from infra.deploying.environment import BUILD, Environment
from infra.deploying.google import Google
from infra.deploying.terraform import ELSEWHERE, Terraform
from infra.policy.judging import complaints


def planned(environment: Environment, *, quiet: bool) -> tuple[Google, Terraform, dict[str, Any]]:
    """The whole plan, judged. Raises BadInputError when it breaks a policy."""
    terraform = Terraform(environment, quiet=quiet)
    google = Google()
    package.package(BUILD)
    project.check(google, environment)
    if not ELSEWHERE.exists() and project.keep_state(google, environment):
        say(f"made the bucket {environment.state_bucket} for Terraform's state")
    terraform.init()
    shown = terraform.plan()
    keep(shown)
    return google, terraform, shown


def keep(shown: dict[str, Any]) -> None:
    broken = complaints(shown)
    if broken:
        lines = [f"{policy}: {line}" for policy, found in broken.items() for line in found]
        raise BadInputError("\n".join(["the plan breaks a policy (infra/policy):", *lines]))


def counted(shown: dict[str, Any]) -> dict[str, int]:
    counted = Counter(action for one in shown["resource_changes"] for action in one["change"]["actions"])
    return {"add": counted["create"], "change": counted["update"], "destroy": counted["delete"]}


def say(step: str) -> None:
    print(f"== {step}", file=sys.stderr, flush=True)
