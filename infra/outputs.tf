output "project" {
  value = var.project
}

output "region" {
  value = var.region
}

output "function_uris" {
  description = "Where each function listens; `reload` writes it into the jobs table."
  value       = { for id in keys(local.deployed) : id => local.urls[id] }
  depends_on  = [module.function]
}

output "console_uri" {
  description = "What people open, and whose API the operator's commands ask."
  value       = local.urls["console"]
}

output "migrate_uri" {
  value = try(local.urls["migrate"], null)
}

output "operator_account" {
  description = "Whom an engineer's commands act as."
  value       = google_service_account.operator.email
}

output "database_connection_name" {
  value = google_sql_database_instance.this.connection_name
}

output "secret_versions" {
  description = "Which version of each secret must exist before functions can start."
  value       = { for id, secret in local.secrets : id => secret.version }
}

output "sources_bucket" {
  value = google_storage_bucket.sources.name
}

output "builder_account" {
  value = google_service_account.builder.name
}

output "console_image" {
  description = "The image that the console's archive is built into."
  value       = local.console_image
}
