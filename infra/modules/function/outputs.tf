output "name" {
  value = google_cloudfunctions2_function.this.name
}
