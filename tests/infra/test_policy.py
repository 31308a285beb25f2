"""What every plan must keep: ours keeps it, and each policy complains of a plan that does not."""

from __future__ import annotations

import copy
import fcntl
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.pubsub_v1.types import Subscription

from infra.local import topology
from infra.policy import rights
from infra.policy.judging import POLICIES, complaints
from infra.policy.plan import UNKNOWN, Plan
from shared.config import read
from shared.cronfile.loading import load
from tests.infra.terraform.configuration import copied, package, variables
from tests.infra.terraform.workspace import missing

Shown = dict[str, Any]
EVERYTHING_ON = (
    *variables("prod"),
    "-var=deletion_protection=true",
    '-var=secret_environment={CREDENTIAL_ERP={version=3,functions=["data_sync"]}}',
)


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    """What terraform says of prod, with everything on: its first plan, and its state once applied."""
    why = missing()
    if why:
        pytest.fail(why) if os.environ.get("BELFRY_CI") else pytest.skip(why)
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "terraform-shown.json"
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of the test processes asks terraform, the others read
        if not place.exists():
            with copied() as work:
                package(work)
                work.terraform("init")
                plan = work.plan(*EVERYTHING_ON)
                work.terraform("apply", "-auto-approve", *EVERYTHING_ON)
                state = json.loads(work.terraform("show", "-json").stdout)
            place.write_text(json.dumps({"plan": plan, "state": state}), "utf-8")
    answer: dict[str, Shown] = json.loads(place.read_text("utf-8"))
    return answer


@pytest.mark.parametrize("which", ["plan", "state"])
def test_our_own_configuration_keeps_every_policy(shown: dict[str, Shown], which: str) -> None:
    assert complaints(shown[which]) == {}


def test_the_list_of_rights_is_exactly_what_is_given(shown: dict[str, Shown]) -> None:
    given = {right for _, right in rights.given(Plan.read(shown["state"]))}
    assert UNKNOWN not in {part for right in given for part in right}
    further = {right for right in rights.ALLOWED if right[2] == "further secret"}  # whose it is, the tfvars say
    assert given - further == rights.ALLOWED - further
    assert given & further == {("integration", "roles/secretmanager.secretAccessor", "further secret")}


def test_what_the_first_plan_cannot_know_is_not_held_against_it(shown: dict[str, Shown]) -> None:
    plan = Plan.read(shown["plan"])
    assert plan.functions["sweep-runs"].get("service_config.service_account_email") == UNKNOWN
    assert Plan.read(shown["state"]).functions.keys() == plan.functions.keys()


def _resource(shown: Shown, address: str) -> dict[str, Any]:
    """The values of the one resource whose address begins so."""
    modules = [shown["values"]["root_module"]]
    modules += modules[0].get("child_modules", [])
    found = [one for module in modules for one in module.get("resources", []) if one["address"].startswith(address)]
    assert len(found) == 1, (address, [one["address"] for one in found])
    values: dict[str, Any] = found[0]["values"]
    return values


def _drop(shown: Shown, address: str) -> None:
    for module in (shown["values"]["root_module"], *shown["values"]["root_module"]["child_modules"]):
        module["resources"] = [one for one in module.get("resources", []) if not one["address"].startswith(address)]


def _set(address: str, path: str, value: Any) -> Callable[[Shown], None]:
    """Sets what is at a dotted path of a resource; numbers are places in lists."""

    def change(shown: Shown) -> None:
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        found: Any = _resource(shown, address)
        for step in way:
            found = found[step]
        assert found[last] != value
        found[last] = value

    return change


JOB = 'module.function["check_overdue_issues"].google_cloudfunctions2_function'
INVOKER = 'module.function["check_overdue_issues"].google_cloud_run_v2_service_iam_binding'
SWEEPER = 'module.function["sweep_runs"].google_cloudfunctions2_function'
CONSOLE = "google_cloud_run_v2_service.console"
BELL = 'google_cloud_scheduler_job.job["check_overdue_issues"]'
PUSH = 'module.push["notify_email"].google_pubsub_subscription.this'
DATABASE = "google_sql_database_instance.this"
ENVIRONMENT = "service_config.0.environment_variables"
BROKEN: list[tuple[str, Callable[[Shown], None]]] = [
    ("nobody_is_everybody", _set(INVOKER, "members", ["allUsers"])),
    ("nobody_is_everybody", _set("google_pubsub_topic_iam_member.dead_letters", "member", "allAuthenticatedUsers")),
    ("functions_are_internal", _set(JOB, "service_config.0.ingress_settings", "ALLOW_ALL")),
    ("functions_are_internal", _set(CONSOLE, "iap_enabled", False)),
    ("kicks_stay_inside", _set(SWEEPER, "service_config.0.direct_vpc_egress", "VPC_EGRESS_PRIVATE_RANGES_ONLY")),
    ("kicks_stay_inside", _set(CONSOLE, "template.0.vpc_access.0.egress", "PRIVATE_RANGES_ONLY")),
    ("kicks_stay_inside", _set("google_compute_subnetwork.functions", "private_ip_google_access", False)),
    ("accounts_are_our_own", _set(JOB, "service_config.0.service_account_email", "1-compute@developer.gserviceaccount.com")),
    ("accounts_are_our_own", _set(JOB, "service_config.0.service_account_email", None)),
    ("accounts_are_our_own", _set(JOB, "build_config.0.service_account", None)),
    ("accounts_are_our_own", _set(CONSOLE, "template.0.service_account", None)),
    ("rings_are_signed", _set(BELL, "http_target.0.oidc_token", [])),
    ("rings_are_signed", _set(BELL, "http_target.0.oidc_token.0.audience", None)),
    ("rings_are_signed", _set(BELL, "http_target.0.oidc_token.0.audience", "https://elsewhere.run.app")),
    ("rings_are_signed", _set(BELL, "attempt_deadline", None)),
    ("rings_are_signed", _set(BELL, "attempt_deadline", "60s")),
    ("rings_are_signed", _set(BELL, "retry_config.0.retry_count", 0)),
    ("pushes_are_signed", _set(PUSH, "push_config.0.oidc_token", [])),
    ("pushes_are_signed", _set(PUSH, "push_config.0.oidc_token.0.audience", None)),
    ("topics_reach_back", _set('google_pubsub_topic.this["notifications"]', "message_retention_duration", "604800s")),
    ("subscriptions_last", _set(PUSH, "expiration_policy", [])),
    ("subscriptions_last", _set(PUSH, "expiration_policy.0.ttl", "2678400s")),
    ("subscriptions_last", _set(PUSH, "message_retention_duration", "600s")),
    ("dead_letters_are_kept", _set(PUSH, "dead_letter_policy", [])),
    ("dead_letters_are_kept", _set(PUSH, "dead_letter_policy.0.dead_letter_topic", "projects/p/topics/nowhere")),
    ("dead_letters_are_kept", _set(PUSH, "retry_policy", [])),
    ("dead_letters_are_kept", lambda shown: _drop(shown, "google_pubsub_subscription.dead_letters")),
    ("dead_letters_are_kept", _set("google_pubsub_subscription.dead_letters", "message_retention_duration", "604800s")),
    ("dead_letters_are_kept", lambda shown: _drop(shown, "google_pubsub_topic_iam_member.dead_letters")),
    ("dead_letters_are_kept", lambda shown: _drop(shown, 'module.push["notify_email"].google_pubsub_subscription_iam_member')),
    ("secrets_are_pinned", _set(JOB, "service_config.0.secret_environment_variables.0.version", "latest")),
    ("secrets_are_pinned", _set(CONSOLE, "template.0.containers.0.env", [{"name": "X", "value_source": [{"secret_key_ref": [{"secret": "x", "version": "latest"}]}]}])),
    ("every_function_has_its_password", _set(JOB, "service_config.0.secret_environment_variables", [])),
    ("nothing_secret_is_written_down", _set(JOB, ENVIRONMENT, {"DATABASE_PASSWORD": "x", "DB_POOL_SIZE": "1", "DB_POOL_OVERFLOW": "1"})),
    ("nothing_secret_is_written_down", _set(JOB, ENVIRONMENT, {"DATABASE_URL": "postgresql://u:p@h/d", "DB_POOL_SIZE": "1", "DB_POOL_OVERFLOW": "1"})),
    ("nothing_secret_is_written_down", _set("google_sql_user.migrator", "password", "x")),
    ("rights_are_on_the_list", _set(INVOKER, "members", ["serviceAccount:belfry-job@p-belfry.iam.gserviceaccount.com"])),
    ("rights_are_on_the_list", _set('google_project_iam_member.builder["roles/logging.logWriter"]', "role", "roles/editor")),
    ("rights_are_on_the_list", _set("google_project_iam_member.console_scheduler", "member", "user:somebody@example.com")),
    ("rights_are_on_the_list", _set("google_project_iam_member.console_scheduler", "role", "roles/owner")),
    ("rights_are_on_the_list", _set('google_secret_manager_secret_iam_member.reader["email-password/channel-email"]', "secret_id", "database-migrator-password")),
    ("database_is_private", _set(DATABASE, "settings.0.ip_configuration.0.ipv4_enabled", True)),
    ("database_is_private", _set(DATABASE, "settings.0.ip_configuration.0.private_network", None)),
    ("database_is_private", _set(DATABASE, "settings.0.ip_configuration.0.ssl_mode", "ALLOW_UNENCRYPTED_AND_ENCRYPTED")),
    ("database_can_be_brought_back", _set(DATABASE, "deletion_protection", False)),
    ("database_can_be_brought_back", _set(DATABASE, "settings.0.deletion_protection_enabled", False)),
    ("database_can_be_brought_back", _set(DATABASE, "settings.0.backup_configuration", [])),
    ("database_can_be_brought_back", _set(DATABASE, "settings.0.backup_configuration.0.point_in_time_recovery_enabled", False)),
    ("database_can_be_brought_back", _set(DATABASE, "settings.0.backup_configuration.0.transaction_log_retention_days", 1)),
    ("connections_suffice", _set(SWEEPER, "service_config.0.max_instance_count", 100)),
    ("connections_suffice", _set(DATABASE, "settings.0.database_flags", [])),
    ("connections_suffice", _set(DATABASE, "settings.0.database_flags.0.value", "50")),
    ("silence_is_heard", lambda shown: _drop(shown, "google_monitoring_alert_policy.sweeper_silent")),
    ("silence_is_heard", lambda shown: _drop(shown, "google_logging_metric.sweep_committed")),
    ("silence_is_heard", _set("google_monitoring_alert_policy.sweeper_silent", "notification_channels", [])),
    ("silence_is_heard", _set("google_monitoring_alert_policy.sweeper_silent", "conditions.0.condition_absent.0.duration", "3600s")),
    ("buckets_are_private", _set("google_storage_bucket.sources", "public_access_prevention", "inherited")),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "change"), BROKEN, ids=[f"{at}-{policy}" for at, (policy, _) in enumerate(BROKEN)])
def test_a_plan_that_breaks_a_policy_is_complained_of_by_that_policy(
    shown: dict[str, Shown], policy: str, change: Callable[[Shown], None]
) -> None:
    broken = copy.deepcopy(shown["state"])
    change(broken)
    assert policy in complaints(broken)


def test_every_policy_is_shown_a_plan_that_breaks_it() -> None:
    assert {policy.__name__ for policy in POLICIES} == {policy for policy, _ in BROKEN}


def test_one_open_door_brings_one_complaint_that_names_it(shown: dict[str, Shown]) -> None:
    broken = copy.deepcopy(shown["state"])
    _set(JOB, "service_config.0.ingress_settings", "ALLOW_ALL")(broken)
    assert complaints(broken) == {"functions_are_internal": [f"{JOB}.this: ingress_settings is ALLOW_ALL"]}


def test_a_first_plan_is_judged_where_it_knows(shown: dict[str, Shown]) -> None:
    plan = copy.deepcopy(shown["plan"])
    for change in plan["resource_changes"]:
        if change["address"].startswith("google_project_iam_member.console_scheduler"):
            change["change"]["after"]["role"] = "roles/editor"  # whose it will be is not known yet
    assert list(complaints(plan)) == ["rights_are_on_the_list"]


def test_what_terraform_gives_each_function_is_what_its_settings_need(shown: dict[str, Shown]) -> None:
    plan = Plan.read(shown["state"])
    given = {name: dict(one.get("service_config.environment_variables")) for name, one in plan.functions.items()}
    for name, one in plan.functions.items():
        given[name] |= {secret["key"]: "a secret" for secret in one.all("service_config.secret_environment_variables")}
    (console,) = plan.of("cloud_run_v2_service")
    variables_ = console.all("template.containers")[0]["env"]
    given["console"] = {one["name"]: "a secret" if one["value_source"] else one["value"] for one in variables_}
    bells = {one.get("name").replace("_", "-"): one for one in plan.of("cloud_scheduler_job")}
    pushes = {one.get("name"): one for one in plan.of("pubsub_subscription") if one.get("push_config")}
    assert given.keys() == {*plan.functions, "console"}
    for name, environment in given.items():
        settings = read({"K_SERVICE": name, **environment})
        assert settings.database_url.startswith("postgresql://belfry_")
        assert settings.channels == ["system", "email"]
        if name in bells:  # who rings, with which token, is whom the function's own code lets in
            token = bells[name].get("http_target.oidc_token")[0]
            assert token["audience"] == settings.audience
            assert token["service_account_email"] in settings.callers
        if name in pushes:
            token = pushes[name].get("push_config.oidc_token")[0]
            assert token["audience"] == settings.audience
            assert settings.callers == {token["service_account_email"]}
    assert given["data-sync"]["CREDENTIAL_ERP"] == given["notify-email"]["EMAIL_PASSWORD"] == "a secret"


def test_the_cloud_s_topics_and_pushes_are_those_of_the_laptop(shown: dict[str, Shown]) -> None:
    plan = Plan.read(shown["state"])
    local = {one.name.rpartition("/")[2]: one for one in _local_subscriptions()}
    there = {one.get("name"): one for one in plan.of("pubsub_subscription")}
    assert there.keys() == local.keys()
    for name, one in there.items():
        wanted = local[name]
        assert one.get("topic").rpartition("/")[2] == wanted.topic.rpartition("/")[2]
        assert (one.get("filter") or "") == wanted.filter
        if one.get("push_config"):
            assert one.get("ack_deadline_seconds") == wanted.ack_deadline_seconds
            assert one.get("retry_policy.minimum_backoff") == f"{topology.FIRST_RETRY.seconds}s"
            assert one.get("retry_policy.maximum_backoff") == f"{topology.LAST_RETRY.seconds}s"
            assert one.get("dead_letter_policy.max_delivery_attempts") == topology.ATTEMPTS
    assert {one.get("name") for one in plan.of("pubsub_topic")} == {
        topic.rpartition("/")[2] for topic in (topology.NOTIFICATIONS, topology.EVENTS, topology.LETTERS)
    }


def _local_subscriptions() -> list[Subscription]:
    functions = load(Path(__file__).parents[2] / "cron.yaml").functions.values()
    return [topology.dead_letters(), *filter(None, (topology.push(one, "http://local") for one in functions))]


def test_the_lines_that_google_counts_are_lines_that_a_run_writes(shown: dict[str, Shown]) -> None:
    engine = (Path(__file__).parents[2] / "shared/jobs.py").read_text("utf-8")
    counted = {
        event
        for metric in Plan.read(shown["state"]).of("logging_metric")
        for event in re.findall(r'"([a-z]+_[a-z_]+)"', metric.get("filter").replace('"cloud_run_revision"', ""))
    }
    assert counted == {"job_run_success", "job_run_failed", "trigger_failed"}
    assert not [event for event in counted if f'"{event}"' not in engine]
