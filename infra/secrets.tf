# The drawers, never what is in them: versions are added by `make deploy` (database passwords) or by the operator, and
# a function names the version it reads. A new version changes nothing until its number stands in the tfvars.
locals {
  secrets = merge(
    {
      database-app-password = {
        version = var.database_password_versions.app
        classes = toset(values(local.classes)) # migrate, too: it gives the password to the role
      }
      database-migrator-password = {
        version = var.database_password_versions.migrator
        classes = setintersection(values(local.classes), ["migrate"])
      }
    },
    var.email.enabled ? {
      email-password = { version = var.email.password_version, classes = toset(["channel-email"]) }
    } : {},
    { for name, secret in var.secret_environment : lower(replace(name, "_", "-")) => {
      version = secret.version
      classes = toset([for id in secret.functions : local.classes[id]])
    } },
  )

  # Which environment variable of a function is which secret.
  secret_environment = { for id, function in local.functions : id => merge(
    { DATABASE_PASSWORD = function.class == "migrate" ? "database-migrator-password" : "database-app-password" },
    id == "migrate" ? { DATABASE_APP_PASSWORD = "database-app-password" } : {},
    id == "notify_email" && var.email.enabled ? { EMAIL_PASSWORD = "email-password" } : {},
    { for name, secret in var.secret_environment : name => lower(replace(name, "_", "-")) if contains(secret.functions, id) },
  ) }
}

resource "google_secret_manager_secret" "this" {
  for_each = local.secrets

  secret_id = each.key

  replication {
    auto {}
  }

  depends_on = [google_project_service.this]
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = merge([for id, secret in local.secrets : { for class in secret.classes : "${id}/${class}" => { secret = id, class = class } }]...)

  secret_id = google_secret_manager_secret.this[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.class[each.value.class].member
}
