# What an empty project cannot do yet. Left enabled on destroy: somebody else may have come to use it.
resource "google_project_service" "this" {
  for_each = toset([
    "artifactregistry", "cloudbuild", "cloudfunctions", "cloudresourcemanager", "cloudscheduler", "compute",
    "iam", "iamcredentials", "iap", "logging", "monitoring", "pubsub", "run", "secretmanager", "servicenetworking",
    "sqladmin", "storage", "billingbudgets",
  ])

  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}
