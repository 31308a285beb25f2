# The same topics, subscriptions, filters and retry as infra/local/topology.py makes on a laptop.
locals {
  topic_retention = "${31 * 24 * 3600}s" # how far back a replay can reach
  retention       = "${7 * 24 * 3600}s"

  pushes = merge(
    { for channel, id in local.channels : id => { topic = "notifications", filter = "attributes.channel = \"${channel}\"" } },
    { dispatch_dependents = { topic = "job-events", filter = "attributes.event = \"job.finished\"" } },
  )

  # Google's own hand: it moves a dead letter from the subscription to the topic, and needs a right on both.
  pubsub_agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic" "this" {
  for_each = toset(["notifications", "job-events", "dead-letters"])

  name                       = each.key
  message_retention_duration = local.topic_retention

  depends_on = [google_project_service.this]
}

module "push" {
  source   = "./modules/push"
  for_each = local.pushes

  name              = local.functions[each.key].name
  topic             = google_pubsub_topic.this[each.value.topic].id
  filter            = each.value.filter
  endpoint          = local.urls[each.key]
  pusher            = google_service_account.pusher.email
  ack_deadline      = min(600, max(10, local.functions[each.key].timeout)) # the push's own time limit, too
  retention         = local.retention
  dead_letter_topic = google_pubsub_topic.this["dead-letters"].id
  pubsub_agent      = local.pubsub_agent

  depends_on = [module.function]
}

# Without it the topic would lose what it is given.
resource "google_pubsub_subscription" "dead_letters" {
  name                       = "dead-letters"
  topic                      = google_pubsub_topic.this["dead-letters"].id
  message_retention_duration = local.topic_retention

  expiration_policy {
    ttl = "" # never: an idle subscription would vanish after 31 days
  }
}

resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.this["dead-letters"].name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = { for pair in setproduct(["notifications", "job-events"], local.publishers) : join("/", pair) => { topic = pair[0], class = pair[1] } }

  topic  = google_pubsub_topic.this[each.value.topic].name
  role   = "roles/pubsub.publisher"
  member = google_service_account.class[each.value.class].member
}

# Pub/Sub signs its pushes as the account `pubsub`, so it must be allowed to make that account's tokens.
resource "google_service_account_iam_member" "pubsub_signs" {
  service_account_id = google_service_account.pusher.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
}
