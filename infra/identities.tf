# One service account a class of functions, and three that no function runs as: who rings, who pushes, who operates.
# Rights are given on the resource, not on the project, wherever Google allows it; tests/infra/test_policy.py holds
# the whole list.
locals {
  class_titles = {
    sweeper     = "Belfry: sweep_runs, which also starts runs"
    dispatcher  = "Belfry: starts what waits for another job"
    console     = "Belfry: the console"
    migrate     = "Belfry: migrations"
    databases   = "Belfry: jobs that watch other databases"
    integration = "Belfry: jobs that talk to other systems"
    job         = "Belfry: jobs"
  }

  # Which functions tell the world: jobs publish after their commit.
  publishers = toset([for class in distinct(values(local.classes)) : class if contains(["job", "sweeper", "databases", "integration"], class)])

  emails = { for class, account in google_service_account.class : class => account.email }
}

resource "google_service_account" "class" {
  for_each = toset(values(local.classes))

  account_id   = "belfry-${each.key}"
  display_name = try(local.class_titles[each.key], "Belfry: ${replace(each.key, "-", " ")}")

  depends_on = [google_project_service.this]
}

# These two names are part of the code: shared/scheduler_api.py makes custom jobs with the first, the local cloud signs
# with both.
resource "google_service_account" "scheduler" {
  account_id   = "scheduler"
  display_name = "Belfry: Cloud Scheduler rings as this account"

  depends_on = [google_project_service.this]
}

resource "google_service_account" "pusher" {
  account_id   = "pubsub"
  display_name = "Belfry: Pub/Sub pushes as this account"

  depends_on = [google_project_service.this]
}

resource "google_service_account" "operator" {
  account_id   = "belfry-operator"
  display_name = "Belfry: an engineer's commands (migrate, reload)"

  depends_on = [google_project_service.this]
}

# People and CI borrow it; it has no key.
resource "google_service_account_iam_member" "operator" {
  for_each = var.operators

  service_account_id = google_service_account.operator.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.key
}

# Builds would otherwise run as the default compute account, which may edit the whole project.
resource "google_service_account" "builder" {
  account_id   = "belfry-builder"
  display_name = "Belfry: builds of functions"

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "builder" {
  # The build reads a copy of the archive in a bucket of Google's making, so the right cannot be given on ours alone.
  for_each = toset(["roles/logging.logWriter", "roles/storage.objectViewer"])

  project = var.project
  role    = each.key
  member  = google_service_account.builder.member
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.builder.member
}

# ── what the console does beside its own pages ─────────────────────────────────────────────────────────────────────

# Reload writes schedules and pauses; custom jobs are made and removed.
resource "google_project_iam_member" "console_scheduler" {
  project = var.project
  role    = "roles/cloudscheduler.admin"
  member  = google_service_account.class["console"].member
}

# A scheduler job names the account it rings as; whoever writes the job must be allowed to name it.
resource "google_service_account_iam_member" "console_names_scheduler" {
  service_account_id = google_service_account.scheduler.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.class["console"].member
}

# Replay moves a channel's subscription back, to a time or to a snapshot. Snapshots come and go: no Terraform knows them.
resource "google_project_iam_custom_role" "replay" {
  role_id     = "belfryReplay"
  title       = "Belfry: replay from a snapshot"
  permissions = ["pubsub.snapshots.get", "pubsub.snapshots.seek"]

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "console_replay" {
  project = var.project
  role    = "projects/${var.project}/roles/${google_project_iam_custom_role.replay.role_id}"
  member  = google_service_account.class["console"].member
}

resource "google_pubsub_topic_iam_member" "console_replay" {
  topic  = google_pubsub_topic.this["notifications"].name
  role   = "roles/pubsub.viewer"
  member = google_service_account.class["console"].member
}

resource "google_pubsub_subscription_iam_member" "console_replay" {
  for_each = local.channels

  subscription = module.push[each.value].subscription
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.class["console"].member
}
