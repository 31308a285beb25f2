"""The life of a deployment, offline: `python -m tests.infra.terraform.cycle`, the Terraform part of `make check`.

fmt, init, validate, a plan of each environment, apply, a second plan that finds nothing to do, destroy, and the tests
beside the configuration (infra/tests). Prints a line a step, then one line of JSON; exit 2 when a step fails.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.infra.terraform.configuration import ROOT, SECRETS, copied, package, variables
from tests.infra.terraform.workspace import TerraformFailed, Workspace, missing

Say = Callable[[str], None]
APPLIED = "staging"


def settle(work: Workspace, say: Say) -> dict[str, Any]:
    """Everything up to a deployment that a second plan finds complete; Terraform's JSON of the plan that made it."""
    with _step("fmt", say):
        work.terraform("fmt", "-check", "-diff", "-recursive")
    with _step("init", say):
        work.terraform("init")
    with _step("validate", say):
        work.terraform("validate")
    with _step("package", say):
        package(work)
    plans = {}
    for environment in sorted(path.stem for path in (work.folder / "envs").glob("*.tfvars")):
        with _step(f"plan {environment}", say):
            plans[environment] = work.plan(*variables(environment), out=f"{environment}.tfplan")
    with _step(f"apply {APPLIED}", say):
        work.terraform("apply", *SECRETS, f"{APPLIED}.tfplan")
    with _step("plan again: no changes", say):
        work.terraform("plan", "-no-color", "-detailed-exitcode", *variables(APPLIED))
    return plans[APPLIED]


def take_down(work: Workspace, say: Say) -> None:
    """Destroy what `settle` made, and run the tests that stand beside the configuration."""
    with _step("destroy", say):
        work.terraform("destroy", "-no-color", "-auto-approve", "-refresh=false", *variables(APPLIED))
    if list((work.folder / "tests").glob("*.tftest.hcl")):
        with _step("test", say):
            work.terraform("test", "-no-color")


@contextmanager
def _step(name: str, say: Say) -> Iterator[None]:
    begun = time.monotonic()
    try:
        yield
    except TerraformFailed:
        say(f"terraform: {name} FAILED")
        raise
    say(f"terraform: {name} ({time.monotonic() - begun:.1f} s)")


def main(source: Path = ROOT) -> int:
    """0, or 2 with the reason on stderr. A machine without terraform is told so and passes, unless it is CI."""
    why = missing()
    if why:
        print(f"terraform: not checked: {why}", file=sys.stderr)
        print(json.dumps({"terraform": "not checked", "reason": why}))
        return 2 if os.environ.get("BELFRY_CI") else 0
    begun = time.monotonic()
    with copied(source) as work:
        try:
            plan = settle(work, print)
            take_down(work, print)
        except TerraformFailed as failed:
            print(failed, file=sys.stderr)
            print(json.dumps({"terraform": "failed"}))
            return 2
    made = Counter(change["type"] for change in plan["resource_changes"] if change["mode"] == "managed")
    print(
        json.dumps(
            {
                "terraform": "ok",
                "resources": made.total(),
                "functions": made["google_cloudfunctions2_function"] + made["google_cloud_run_v2_service"],
                "scheduler_jobs": made["google_cloud_scheduler_job"],
                "seconds": round(time.monotonic() - begun, 1),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
