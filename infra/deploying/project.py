"""What must be there before Terraform's first call? The APIs it asks by, its state's bucket, Google's own agents."""

from __future__ import annotations

from infra.commands.outcome import BadInputError
from infra.deploying.environment import Environment
from infra.deploying.google import Google

# services.tf enables the rest; these are what enabling and looking need themselves.
FIRST = ("cloudresourcemanager", "iam", "iamcredentials", "secretmanager", "storage")
# Accounts that Google makes on first use, which is too late for a right that is given beforehand.
AGENTS = ("iap", "pubsub")


def check(google: Google, environment: Environment) -> None:
    """Enables what the first calls need. Raises BadInputError when project and number are not the same project's."""
    asked = {"serviceIds": [f"{name}.googleapis.com" for name in FIRST]}
    path = f"v1/projects/{environment.project_number}/services:batchEnable"
    google.finish(
        "serviceusage.googleapis.com", google.ask("POST", "serviceusage.googleapis.com", path, asked), version="v1"
    )
    found = google.ask("GET", "cloudresourcemanager.googleapis.com", f"v1/projects/{environment.project}") or {}
    if found.get("projectNumber") != environment.project_number:
        raise BadInputError(
            f"{environment.variables.name}: project_number {environment.project_number} is not that of "
            f"{environment.project}, which is {found.get('projectNumber')}"
        )


def keep_state(google: Google, environment: Environment) -> bool:
    """The bucket of the state, with every version of it; whether it was made now."""
    bucket, host = environment.state_bucket, "storage.googleapis.com"
    if google.ask("GET", host, f"storage/v1/b/{bucket}", absent=True) is not None:
        return False
    wanted = {
        "name": bucket,
        "location": environment.region,
        "versioning": {"enabled": True},
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "enforced"},
    }
    google.ask("POST", host, f"storage/v1/b?project={environment.project}", wanted)
    return True


def make_agents(google: Google, environment: Environment) -> None:
    """Have Google make its own accounts, so that they can be given their rights. Their APIs are enabled by then."""
    host = "serviceusage.googleapis.com"
    for name in AGENTS:
        path = f"v1beta1/projects/{environment.project_number}/services/{name}.googleapis.com:generateServiceIdentity"
        google.finish(host, google.ask("POST", host, path), version="v1")
