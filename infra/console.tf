# The console is the one page that people open, so Identity-Aware Proxy stands before it. google_cloudfunctions2_function
# has no such switch, and build_config of google_cloud_run_v2_service builds nothing (hashicorp/google #22263, #23057):
# `make deploy` has the console's archive built, as a function's would be, into the image that is named here.
locals {
  # archives.json says console-<hash>.zip; the same archive is the same image.
  console_image = "${google_artifact_registry_repository.images.location}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}/console:${try(regex("^console-(.+)\\.zip$", local.archives["console"])[0], "missing")}"

  # What IAP puts into its assertion for a Cloud Run service; the first real one says whether that still holds.
  console_audience = "/projects/${var.project_number}/locations/${var.region}/services/${local.functions["console"].name}"
  proxy_agent      = "service-${var.project_number}@gcp-sa-iap.iam.gserviceaccount.com"
}

resource "google_cloud_run_v2_service" "console" {
  name        = local.functions["console"].name
  location    = var.region
  description = local.functions["console"].title
  labels      = { category = local.functions["console"].category }
  ingress     = "INGRESS_TRAFFIC_ALL" # people come from the internet, and meet the proxy
  iap_enabled = true

  deletion_protection = false # it keeps nothing

  template {
    service_account                  = local.emails["console"]
    timeout                          = "${local.functions["console"].timeout}s"
    max_instance_request_concurrency = 8

    scaling {
      min_instance_count = 0
      max_instance_count = local.functions["console"].max_instances
    }

    vpc_access {
      egress = "ALL_TRAFFIC" # it starts runs

      network_interfaces {
        network    = google_compute_network.this.id
        subnetwork = google_compute_subnetwork.functions.id
      }
    }

    containers {
      image = local.console_image

      resources {
        cpu_idle          = true
        startup_cpu_boost = true
        limits            = { cpu = "1", memory = local.functions["console"].memory }
      }

      dynamic "env" {
        for_each = local.environment["console"]

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.secret_environment["console"]

        content {
          name = env.key

          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.this[env.value].secret_id
              version = local.secrets[env.value].version
            }
          }
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reader, google_storage_bucket_object.archive]
}

# The proxy passes on whom it let in; nobody calls the service itself.
resource "google_cloud_run_v2_service_iam_binding" "console" {
  location = var.region
  name     = google_cloud_run_v2_service.console.name
  role     = "roles/run.invoker"
  members  = [for email in local.callers["console"] : "serviceAccount:${email}"]
}

resource "google_iap_web_cloud_run_service_iam_member" "console" {
  for_each = merge({ for member in var.console_members : member => member }, { operator = google_service_account.operator.member })

  location               = var.region
  cloud_run_service_name = google_cloud_run_v2_service.console.name
  role                   = "roles/iap.httpsResourceAccessor"
  member                 = each.value
}
