# One function and who may call it.
resource "google_cloudfunctions2_function" "this" {
  name        = var.name
  location    = var.region
  description = var.description
  labels      = var.labels

  build_config {
    runtime           = "python311"
    entry_point       = var.entry_point
    service_account   = var.builder
    docker_repository = var.repository

    source {
      storage_source {
        bucket = var.bucket
        object = var.archive
      }
    }
  }

  service_config {
    service_account_email            = var.service_account
    available_memory                 = var.memory
    timeout_seconds                  = var.timeout
    min_instance_count               = 0
    max_instance_count               = var.max_instances
    max_instance_request_concurrency = 1
    all_traffic_on_latest_revision   = true
    ingress_settings                 = var.internal ? "ALLOW_INTERNAL_ONLY" : "ALLOW_ALL"
    direct_vpc_egress                = var.all_traffic ? "VPC_EGRESS_ALL_TRAFFIC" : "VPC_EGRESS_PRIVATE_RANGES_ONLY"
    environment_variables            = var.environment

    direct_vpc_network_interface {
      network    = var.network
      subnetwork = var.subnetwork
    }

    dynamic "secret_environment_variables" {
      for_each = var.secrets

      content {
        key        = secret_environment_variables.key
        project_id = var.project
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(var.name) <= 49
      error_message = "${var.entry_point}: longer than the 49 characters that Cloud Run allows a service."
    }
  }
}

# A binding, not a member: whoever is given the role by hand loses it at the next deployment.
resource "google_cloud_run_v2_service_iam_binding" "invoker" {
  location = var.region
  name     = google_cloudfunctions2_function.this.name # the function's service has the function's name
  role     = "roles/run.invoker"
  members  = var.invokers

  lifecycle {
    # A function that is made anew has a new service, and that one has no callers.
    replace_triggered_by = [google_cloudfunctions2_function.this.id]
  }
}
