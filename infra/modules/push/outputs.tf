output "subscription" {
  value = google_pubsub_subscription.this.name
}
