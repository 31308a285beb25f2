# What Belfry cannot tell of itself: that it is silent. Everything else is an alert in its own inbox.
resource "google_monitoring_notification_channel" "email" {
  display_name = "Belfry ${var.environment}"
  type         = "email"
  labels       = { email_address = var.alarm_email }

  depends_on = [google_project_service.this]
}

# sweep_runs writes this line every minute, after its commit.
resource "google_logging_metric" "sweep_committed" {
  name   = "belfry/sweep_committed"
  filter = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.functions["sweep_runs"].name}\" AND jsonPayload.event=\"job_run_success\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }

  depends_on = [google_project_service.this]
}

resource "google_logging_metric" "run_failed" {
  name   = "belfry/run_failed"
  filter = "resource.type=\"cloud_run_revision\" AND jsonPayload.event=(\"job_run_failed\" OR \"trigger_failed\")"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "service"
      description = "The function"
    }
  }

  label_extractors = { service = "EXTRACT(resource.labels.service_name)" }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "sweeper_silent" {
  display_name          = "Belfry ${var.environment}: the sweeper is silent"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "sweep_runs has committed nothing for five minutes"

    condition_absent {
      filter   = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.sweep_committed.name}\" AND resource.type=\"cloud_run_revision\""
      duration = "300s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "Missed ticks are noticed, retried and reported by sweep_runs. While it is silent nobody does that. Look at its log, at the database, and at the Cloud Scheduler job sweep_runs; what was missed is caught up when it runs again."
  }
}

resource "google_monitoring_alert_policy" "many_failures" {
  display_name          = "Belfry ${var.environment}: many runs fail"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "more than ten failed runs in ten minutes"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.run_failed.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 10
      duration        = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "One job's failure reaches its owner through Belfry. Many at once are the database or the network: the console's health page says which."
  }
}

resource "google_monitoring_alert_policy" "dead_letters" {
  display_name          = "Belfry ${var.environment}: messages nobody took"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "the dead-letter subscription holds messages"

    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "300s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = "A push was refused twenty times. Its deliveries are still in the database: mend the channel, then replay (infra/README.md)."
  }
}

resource "google_monitoring_alert_policy" "connections" {
  display_name          = "Belfry ${var.environment}: database connections run out"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "more than four fifths of max_connections are in use"

    condition_threshold {
      filter          = "metric.type=\"cloudsql.googleapis.com/database/postgresql/num_backends\" AND resource.type=\"cloudsql_database\" AND resource.labels.database_id=\"${var.project}:${google_sql_database_instance.this.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = floor(local.connections * 0.8)
      duration        = "300s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "cron.yaml's database.connections is max_connections; max_instances and pool of the functions are what uses it."
  }
}
