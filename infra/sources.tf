# What functions are made of: one archive each, and the images that Google builds of them.
locals {
  archives_file = coalesce(var.archives, "${path.module}/.build/archives.json")
  archives      = try(jsondecode(file(local.archives_file)), {})
}

resource "google_storage_bucket" "sources" {
  name                        = "${var.project}-belfry-sources"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # everything in it can be built again

  depends_on = [google_project_service.this]
}

# The name carries the hash: an edit of one job's file is a new object, and a new object is a new build of one function.
resource "google_storage_bucket_object" "archive" {
  for_each = local.functions

  bucket = google_storage_bucket.sources.name
  name   = try(local.archives[each.key], "missing")
  source = "${dirname(local.archives_file)}/${try(local.archives[each.key], "missing")}"

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = can(local.archives[each.key])
      error_message = "No archive of ${each.key} in ${local.archives_file}: `python -m infra package` builds them."
    }
  }
}

resource "google_artifact_registry_repository" "images" {
  location      = var.region
  repository_id = "belfry"
  format        = "DOCKER"
  description   = "Images of the functions and of the console"

  # Every deployment leaves an image of each function it changed.
  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"

    most_recent_versions {
      keep_count = 5
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.this]
}
