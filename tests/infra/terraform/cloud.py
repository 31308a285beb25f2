"""What the cloud would fill in: names, addresses and numbers derived from what a resource is, the same each time.

Forms are Google's where something refers to them (`projects/P/topics/NAME`, an account's address, a function's URI);
everything else is its own name and the resource's, so that two resources never answer the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_ACCOUNT = "{account_id}@{project}.iam.gserviceaccount.com"
# By type: attribute (however deep): form. Placeholders are the resource's own values, `digest`, or the provider's.
FORMS: dict[str, dict[str, str]] = {
    "google_artifact_registry_repository": {
        "id": "projects/{project}/locations/{location}/repositories/{repository_id}"
    },
    "google_cloud_run_v2_service": {
        "id": "projects/{project}/locations/{location}/services/{name}",
        "uri": "https://{name}-{digest}.a.run.app",
    },
    "google_cloud_scheduler_job": {"id": "projects/{project}/locations/{region}/jobs/{name}"},
    "google_cloudfunctions2_function": {
        "id": "projects/{project}/locations/{location}/functions/{name}",
        "service": "projects/{project}/locations/{location}/services/{name}",
        "uri": "https://{name}-{digest}.a.run.app",
        "url": "https://{location}-{project}.cloudfunctions.net/{name}",
    },
    "google_compute_global_address": {"id": "projects/{project}/global/addresses/{name}", "address": "10.64.0.0"},
    "google_compute_network": {"id": "projects/{project}/global/networks/{name}"},
    "google_compute_subnetwork": {"id": "projects/{project}/regions/{region}/subnetworks/{name}"},
    "google_monitoring_notification_channel": {"name": "projects/{project}/notificationChannels/{digest}"},
    "google_project": {"id": "projects/{project}", "project_id": "{project}", "number": "123456789012"},
    "google_pubsub_subscription": {"id": "projects/{project}/subscriptions/{name}"},
    "google_pubsub_topic": {"id": "projects/{project}/topics/{name}"},
    "google_secret_manager_secret": {
        "id": "projects/{project}/secrets/{secret_id}",
        "name": "projects/{project}/secrets/{secret_id}",
    },
    "google_secret_manager_secret_version": {
        "id": "{secret}/versions/1",
        "name": "{secret}/versions/1",
        "version": "1",
    },
    "google_service_account": {
        "email": _ACCOUNT,
        "id": f"projects/{{project}}/serviceAccounts/{_ACCOUNT}",
        "member": f"serviceAccount:{_ACCOUNT}",
        "name": f"projects/{{project}}/serviceAccounts/{_ACCOUNT}",
    },
    "google_sql_database_instance": {
        "connection_name": "{project}:{region}:{name}",
        "ip_address": "10.64.0.3",
        "private_ip_address": "10.64.0.3",
    },
    "google_storage_bucket": {"url": "gs://{name}"},
}
_NAMES = ("name", "account_id", "secret_id", "repository_id", "service", "display_name")


class Answers:
    """The values of one resource's computed attributes."""

    def __init__(self, type_name: str, known: Mapping[str, Any], provider: Mapping[str, Any]) -> None:
        facts = {key: value for key, value in known.items() if isinstance(value, str | int | float | bool)}
        text = json.dumps([type_name, facts], sort_keys=True)
        self.digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        self.forms = FORMS.get(type_name, {})
        self.type_name = type_name
        self.name = next((facts[key] for key in _NAMES if key in facts), self.digest)
        self.facts = {**provider, **facts, "digest": self.digest}

    def value(self, attribute: str, kind: Any) -> Any:
        """A value of Terraform's type `kind` ("string", ["list", ..], ["object", {..}]) for an attribute."""
        if kind == "string":
            if attribute in self.forms:
                return self.forms[attribute].format_map(self.facts)
            if attribute in self.facts:
                return str(self.facts[attribute])
            return f"{self.type_name.removeprefix('google_')}/{self.name}/{self.digest}/{attribute}"
        if kind in ("number", "bool"):
            return 1 if kind == "number" else False
        outer, inner = kind
        if outer == "map":
            return {}
        if outer == "object":
            return {name: self.value(name, part) for name, part in inner.items()}
        return [self.value(attribute, inner)]
