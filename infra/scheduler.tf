# Terraform makes each job with its target, identity and retry, silent. From then on schedule, zone and pause belong to
# `reload` (shared/operator/reload.py): one writer, so that an operator's pause survives a deployment.
resource "google_cloud_scheduler_job" "job" {
  for_each = { for id, job in local.jobs : id => job if can(job.schedule) }

  name             = each.key
  region           = var.region
  description      = each.value.name.en
  schedule         = each.value.schedule
  time_zone        = try(each.value.time_zone, local.cron.defaults.time_zone, "Asia/Shanghai")
  paused           = true
  attempt_deadline = "${max(15, min(1800, local.functions[each.key].timeout + 60))}s"

  # Three more tries for a 503 ("come again"): what the function has taken on is answered 200.
  retry_config {
    retry_count          = 3
    min_backoff_duration = "10s"
    max_backoff_duration = "3600s"
    max_retry_duration   = "0s"
    max_doublings        = 5
  }

  http_target {
    uri         = local.urls[each.key]
    http_method = "POST"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode({ job = each.key }))

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = local.urls[each.key] # the default would be the whole target
    }
  }

  lifecycle {
    ignore_changes = [schedule, time_zone, paused]
  }

  depends_on = [module.function]
}
