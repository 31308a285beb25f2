"""The workflows of GitHub ask for what exists, with no more rights than they need."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = {path.name: yaml.safe_load(path.read_text("utf-8")) for path in (ROOT / ".github" / "workflows").iterdir()}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))


def on(workflow: dict[Any, Any]) -> dict[str, Any]:
    return workflow[True]  # YAML 1.1 reads the key `on` so


def steps(workflow: dict[Any, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job.get("steps", ())


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_every_target_that_is_made_exists(workflow: dict[Any, Any]) -> None:
    made = {target for step in steps(workflow) for target in re.findall(r"\bmake ([a-z]+)", step.get("run", ""))}
    assert made <= TARGETS
    assert made


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_a_workflow_may_read_and_nothing_else_unless_a_job_asks(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert set(job.get("permissions", {"contents": "read"}).items()) <= {
            ("contents", "read"),
            ("id-token", "write"),
        }
        signs_in = any("google-github-actions/auth" in step.get("uses", "") for step in job.get("steps", ()))
        assert ("id-token" in job.get("permissions", {})) is signs_in


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_actions_are_pinned_to_a_major_version_and_leave_no_credentials_behind(workflow: dict[Any, Any]) -> None:
    used = [step for step in steps(workflow) if "uses" in step]
    assert all(re.fullmatch(r"(actions|hashicorp|google-github-actions)/[a-z-]+@v\d+", step["uses"]) for step in used)
    checkouts = [step["with"] for step in used if step["uses"].startswith("actions/checkout@")]
    assert all(given["persist-credentials"] is False for given in checkouts)


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_nothing_that_others_write_becomes_part_of_a_script(workflow: dict[Any, Any]) -> None:
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []


def test_every_pull_request_and_main_are_checked_and_tested() -> None:
    workflow = WORKFLOWS["check.yml"]
    assert {"pull_request", "push"} <= on(workflow).keys()
    assert on(workflow)["push"] == {"branches": ["main"]}
    assert {step["run"].split()[1] for step in steps(workflow) if step.get("run", "").startswith("make ")} == {
        "check",
        "test",
    }
    assert workflow["env"]["BELFRY_CI"] == "1"
    (checkout,) = (
        step for step in workflow["jobs"]["check"]["steps"] if step.get("uses", "").startswith("actions/checkout")
    )
    assert checkout["with"]["fetch-depth"] == 0  # else there is no common commit to compare with


@pytest.mark.parametrize(
    ("base", "asks"),
    [("origin/main", "--against origin/main --markdown /summary"), ("", " --markdown /summary")],
)
def test_the_report_goes_to_the_job_s_summary_against_the_base(base: str, asks: str, tmp_path: Path) -> None:
    (script,) = (step["run"] for step in steps(WORKFLOWS["check.yml"]) if "make check" in step.get("run", ""))
    shown = tmp_path / "make"
    shown.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    shown.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "BASE": base, "GITHUB_STEP_SUMMARY": "/summary"}
    said = subprocess.run(["sh", "-euc", script], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == f"check|ARGS={asks}|"


def test_a_deployment_is_made_by_hand_after_the_checks_in_an_environment_that_exists() -> None:
    workflow = WORKFLOWS["deploy.yml"]
    assert set(on(workflow)) == {"workflow_dispatch"}
    asked = on(workflow)["workflow_dispatch"]["inputs"]
    assert set(asked["environment"]["options"]) == {path.stem for path in (ROOT / "infra" / "envs").glob("*.tfvars")}
    assert asked["deploy"]["default"] is False
    job = workflow["jobs"]["deploy"]
    assert workflow["jobs"][job["needs"]] == {"uses": "./.github/workflows/check.yml"}
    assert "workflow_call" in on(WORKFLOWS["check.yml"])
    assert (job["environment"], workflow["concurrency"]["group"]) == (
        "${{ inputs.environment }}",
        "deploy-${{ inputs.environment }}",
    )
    assert "cancel-in-progress" not in workflow["concurrency"]


def test_google_is_asked_with_no_key() -> None:
    (signing_in,) = (
        step["with"] for step in steps(WORKFLOWS["deploy.yml"]) if "google-github-actions/auth" in step.get("uses", "")
    )
    assert set(signing_in) == {"workload_identity_provider", "service_account"}
    text = "".join(path.read_text("utf-8") for path in (ROOT / ".github" / "workflows").iterdir())
    assert "secrets." not in text
