"""`deploy`: what a plan says, in the order in which no tick breaks.

First what code needs (secrets, sources, the console's image), then the database and the function that migrates it, the
migration, everything else, and at last the reload that wakes new bells. Each step may be taken again.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from infra.commands.outcome import BadInputError, NothingToDoError, OutOfReachError, parser
from infra.deploying import image, project, secrets, tokens
from infra.deploying.environment import BUILD, INFRA, Environment
from infra.deploying.google import Google
from infra.deploying.planning import counted, keep, planned, say
from infra.deploying.terraform import Terraform

# What a deployment needs before anything can be built: drawers for secrets, the archives, who builds, who commands. A
# right takes minutes until Google knows it everywhere; these are given while the database is still to be made.
FIRST = (
    "google_service_account_iam_member.operator",
    "google_secret_manager_secret.this",
    "google_storage_bucket_object.archive",
    "google_artifact_registry_repository_iam_member.builder",
    "google_project_iam_member.builder",
)
# The database with its owner, and the one function that changes it.
SECOND = ("google_sql_user.migrator", "google_sql_database.belfry", 'module.function["migrate"]')


def main(argv: Sequence[str]) -> int:
    asked = parser("deploy", __doc__)
    asked.add_argument("environment", help="one of infra/envs: staging, prod")
    asked.add_argument("--yes", action="store_true", help="do not ask; CI needs it")
    options = asked.parse_args(argv)
    environment = Environment.read(options.environment)
    if not options.yes and not sys.stdin.isatty():
        raise BadInputError("nobody is there to ask; --yes deploys without asking")
    google, terraform, shown = planned(environment, quiet=options.json)
    amounts = counted(shown)
    if not options.yes:
        _confirm(environment, amounts)
    outputs = {name: one.get("value") for name, one in shown["planned_values"]["outputs"].items()}
    done = _deploy(google, terraform, outputs, changes=any(amounts.values()))
    print(json.dumps({"environment": environment.environment, **amounts, **done, "console": outputs["console_uri"]}))
    return 0


def _deploy(google: Google, terraform: Terraform, told: Mapping[str, Any], *, changes: bool) -> dict[str, Any]:
    """Everything after the plan, whose outputs are `told`; without `changes` Terraform has nothing to do in it."""
    environment = terraform.environment
    say("secrets, sources, builder")
    if changes:
        terraform.apply_only(FIRST)
    project.make_agents(google, environment)
    filled = secrets.fill(google, environment, told["secret_versions"])
    say("the console's image")
    archive = json.loads((BUILD / "archives.json").read_text("utf-8"))["console"]
    built = image.build(google, environment, told["console_image"], told["sources_bucket"], archive)

    say("the database and its migrations")
    if changes:
        password = secrets.value(google, environment, secrets.MIGRATOR, told["secret_versions"][secrets.MIGRATOR])
        terraform = replace(terraform, secret_variables={"database_migrator_password": password})
        terraform.apply_only(SECOND)
    migrate = told["migrate_uri"]
    token = tokens.for_function(google, environment, migrate)
    migrated = _ourselves("migrate", "--url", google.address(migrate), token=token)

    say("everything else")
    if changes:
        keep(terraform.plan())
        terraform.apply_planned()
    say("reload")
    targets = BUILD / f"{environment.environment}-targets.json"
    targets.write_text(json.dumps(told["function_uris"], indent=1), "utf-8")
    console = told["console_uri"]
    token = tokens.for_proxy(google, environment, console)
    reloaded = _ourselves("reload", "--console", google.address(console), "--targets", str(targets), token=token)
    return {
        "secrets_filled": filled,
        "console_image_built": built,
        "migrated": migrated,
        "reloaded": {word: len(reloaded[word]) for word in ("added", "updated", "removed", "unchanged")},
    }


def _confirm(environment: Environment, amounts: dict[str, int]) -> None:
    listed = ", ".join(f"{number} to {action}" for action, number in amounts.items())
    if input(f"Deploy to {environment.project} ({listed})? Only 'yes' does: ") != "yes":
        raise NothingToDoError("nothing was changed")


def _ourselves(*arguments: str, token: str) -> dict[str, Any]:
    """One of our own commands against the cloud; its JSON line."""
    done = subprocess.run(
        [sys.executable, "-m", "infra", *arguments, "--json"],
        cwd=INFRA.parent, env={**os.environ, "GOOGLE_ID_TOKEN": token}, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        kind = BadInputError if done.returncode == BadInputError.code else OutOfReachError
        raise kind(f"python -m infra {arguments[0]}: exit {done.returncode}; `make deploy` again goes on from here")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
