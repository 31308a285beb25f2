resource "google_sql_database_instance" "this" {
  name                = "belfry"
  database_version    = "POSTGRES_17"
  region              = var.region
  deletion_protection = var.deletion_protection # Terraform's own; the one below is Google's

  settings {
    edition                     = "ENTERPRISE" # Postgres 16 and later default to Enterprise Plus, which has no db-custom
    tier                        = var.database_tier
    availability_type           = var.database_standby ? "REGIONAL" : "ZONAL"
    deletion_protection_enabled = var.deletion_protection
    disk_type                   = "PD_SSD"
    disk_size                   = var.database_disk_gb
    disk_autoresize             = true

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.this.id
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7
      start_time                     = "19:00" # UTC: before the early jobs of a Chinese morning

      backup_retention_settings {
        retained_backups = 30
      }
    }

    maintenance_window {
      day          = 7
      hour         = 20 # UTC
      update_track = "stable"
    }

    database_flags {
      name  = "max_connections"
      value = local.connections
    }

    insights_config {
      query_insights_enabled = true
    }
  }

  lifecycle {
    ignore_changes = [settings[0].disk_size] # it grows by itself

    precondition {
      condition     = local.connections_needed + var.database_reserve <= local.connections
      error_message = "cron.yaml: all functions at once need ${local.connections_needed} connections (max_instances x pool), and ${var.database_reserve} are reserved: more than database.connections = ${local.connections}."
    }
  }

  depends_on = [google_service_networking_connection.services]
}

resource "google_sql_database" "belfry" {
  name     = "belfry"
  instance = google_sql_database_instance.this.name
}

# Write-only: the password goes to Cloud SQL and nowhere else. Its version here is the secret's, so that the number in
# the tfvars rotates both. The functions' own role is not here: Cloud SQL makes every user a member of cloudsqlsuperuser,
# so `migrate` makes that one, with no right but those on its tables (shared/operator/migrating.py).
resource "google_sql_user" "migrator" {
  name                = "belfry_migrator"
  instance            = google_sql_database_instance.this.name
  password_wo         = var.database_migrator_password
  password_wo_version = var.database_password_versions.migrator
  deletion_policy     = "ABANDON" # it owns every table; it goes with the instance
}
