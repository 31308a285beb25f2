"""Terraform refuses against the stand-in what it would refuse against the provider, and settles as it would."""

from __future__ import annotations

import pytest

from tests.infra.terraform.workspace import Workspace

HEAD = """
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "8.7.0"
    }
  }
}

provider "google" {
  project = "acme"
  region  = "asia-east1"
}
"""
GOOD = (
    HEAD
    + """
data "google_project" "this" {}

resource "google_service_account" "caller" {
  account_id = "belfry-caller"
}

resource "google_pubsub_topic" "notifications" {
  name   = "notifications"
  labels = { owner = "ops" }
}

resource "google_pubsub_subscription" "email" {
  name   = "notify-email"
  topic  = google_pubsub_topic.notifications.id
  filter = "attributes.channel = \\"email\\""
  push_config {
    push_endpoint = "https://email.example"
    oidc_token {
      service_account_email = google_service_account.caller.email
    }
  }
}

resource "google_secret_manager_secret" "password" {
  secret_id = "password"
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "password" {
  secret                 = google_secret_manager_secret.password.id
  secret_data_wo         = "correct horse"
  secret_data_wo_version = 1
}

output "project_number" {
  value = data.google_project.this.number
}
"""
)
REFUSED = {
    "a wrong attribute": ("filter =", "filters =", "Unsupported argument"),
    "a wrong attribute in a nested block": ("service_account_email", "service_account_mail", "Unsupported argument"),
    "a wrong block": ("oidc_token {", "oidc {", "Unsupported block type"),
    "a block that is an attribute": ("labels = {", "labels {", "Unsupported block type"),
    "a second block where one is allowed": (
        "replication {",
        "replication {\n}\nreplication {",
        "Too many replication blocks",
    ),
    "no required block": ("replication {\n    auto {}\n  }", "", "Insufficient replication blocks"),
    "no required attribute": ('  secret_id = "password"\n', "", "Missing required argument"),
    "an attribute that only the cloud sets": (
        "secret_id =",
        'create_time = "x"\nsecret_id =',
        "Value for unconfigurable attribute",
    ),
    "a wrong type": ('{ owner = "ops" }', '"ops"', "Incorrect attribute value type"),
    "an unknown resource": (
        'resource "google_pubsub_topic"',
        'resource "google_pubsub_subject"',
        "Invalid resource type",
    ),
    "an unknown data source": ('data "google_project"', 'data "google_projekt"', "Invalid data source"),
    "a reference to what no resource has": ("caller.email", "caller.mail", "Unsupported attribute"),
    "an unknown argument of the provider": ("region  =", "place =", "Unsupported argument"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_refuses(what: str, workspace: Workspace) -> None:
    written, instead, complaint = REFUSED[what]
    assert written in GOOD
    (workspace.folder / "main.tf").write_text(GOOD.replace(written, instead), "utf-8")
    said = workspace.terraform("init", expect=(0, 1))
    found = said.stderr if said.returncode else str([each.summary for each in workspace.complaints()])
    assert complaint in found


def test_what_the_cloud_sets_is_unknown_in_the_plan_and_known_ever_after(workspace: Workspace) -> None:
    (workspace.folder / "main.tf").write_text(GOOD, "utf-8")
    workspace.terraform("init")
    assert workspace.complaints() == []

    planned = {change["address"]: change["change"] for change in workspace.plan()["resource_changes"]}
    assert planned["google_service_account.caller"]["after_unknown"]["email"] is True
    assert planned["google_service_account.caller"]["after"]["project"] == "acme"
    assert planned["google_pubsub_subscription.email"]["after_unknown"]["topic"] is True

    workspace.terraform("apply", "a.tfplan")
    state = workspace.terraform("show", "-json").stdout
    assert "correct horse" not in state
    assert '"belfry-caller@acme.iam.gserviceaccount.com"' in state
    assert '"projects/acme/topics/notifications"' in state
    workspace.terraform("plan", "-detailed-exitcode")  # exit 2 would be: changes

    workspace.terraform("destroy", "-auto-approve")
    assert workspace.terraform("state", "list").stdout == ""


def test_an_edit_is_planned_as_an_update_and_of_what_the_cloud_cannot_change_as_a_replacement(
    workspace: Workspace,
) -> None:
    (workspace.folder / "main.tf").write_text(GOOD, "utf-8")
    workspace.terraform("init")
    workspace.terraform("apply", "-auto-approve")

    def edited(written: str, instead: str) -> dict[str, list[str]]:
        assert written in GOOD
        (workspace.folder / "main.tf").write_text(GOOD.replace(written, instead), "utf-8")
        changes = workspace.plan()["resource_changes"]
        return {
            c["address"]: c["change"]["actions"] for c in changes if c["change"]["actions"] not in (["no-op"], ["read"])
        }

    assert edited('owner = "ops"', 'owner = "pmo"') == {"google_pubsub_topic.notifications": ["update"]}
    assert edited("attributes.channel =", "attributes.channel !=") == {
        "google_pubsub_subscription.email": ["delete", "create"]
    }
