"""The console's image: its archive, built as Google builds a function's. Terraform cannot (console.tf)."""

from __future__ import annotations

import re

from infra.deploying.environment import Environment
from infra.deploying.google import Google


def build(google: Google, environment: Environment, image: str, bucket: str, archive: str) -> bool:
    """Have the image built of the archive that lies in the bucket; whether it had to be.

    `image`: REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME:TAG, whose tag is the archive's hash.
    """
    parts = re.fullmatch(r"([a-z0-9-]+)-docker\.pkg\.dev/([^/]+)/([^/]+)/([^/:]+):(\w+)", image)
    assert parts, image
    region, project, repository, name, tag = parts.groups()
    place = f"v1/projects/{project}/locations/{region}/repositories/{repository}/packages/{name}/tags/{tag}"
    if google.ask("GET", "artifactregistry.googleapis.com", place, absent=True) is not None:
        return False
    said = google.ask(
        "POST",
        "run.googleapis.com",
        f"v2/projects/{project}/locations/{region}/builds:submit",
        {
            "storageSource": {"bucket": bucket, "object": archive},
            "imageUri": image,
            "serviceAccount": f"projects/{project}/serviceAccounts/{environment.builder}",
            "buildpackBuild": {"runtime": "python311", "functionTarget": name},
        },
    )
    google.finish("cloudbuild.googleapis.com", (said or {}).get("buildOperation"), version="v1")
    return True
