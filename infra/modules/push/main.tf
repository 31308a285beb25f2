# One subscription that pushes to one function, and what happens to a message that nobody takes.
resource "google_pubsub_subscription" "this" {
  name                       = var.name # the function compares it with the envelope's
  topic                      = var.topic
  filter                     = var.filter
  ack_deadline_seconds       = var.ack_deadline
  message_retention_duration = var.retention

  push_config {
    push_endpoint = var.endpoint

    oidc_token {
      service_account_email = var.pusher
      audience              = var.endpoint
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = var.dead_letter_topic
    max_delivery_attempts = 20
  }

  expiration_policy {
    ttl = "" # never: an idle subscription would vanish after 31 days
  }
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  subscription = google_pubsub_subscription.this.name
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent
}
