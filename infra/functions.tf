locals {
  # What shared/config.py reads; the secrets among it are in secrets.tf.
  environment = { for id, function in local.functions : id => merge(
    {
      GOOGLE_CLOUD_PROJECT = var.project
      BELFRY_REGION        = var.region
      BELFRY_URL           = local.urls["console"]
      BELFRY_AUDIENCE      = id == "console" ? local.console_audience : local.urls[id]
      BELFRY_CALLERS       = join(" ", sort(local.callers[id]))
      DATABASE_URL         = "postgresql://${function.class == "migrate" ? google_sql_user.migrator.name : "belfry_app"}@${google_sql_database_instance.this.private_ip_address}:5432/${google_sql_database.belfry.name}"
      DB_POOL_SIZE         = max(1, function.pool - 1)
      DB_POOL_OVERFLOW     = min(1, function.pool - 1)
      LOG_LEVEL            = var.log_level
    },
    # Every function must know which channels are on: deliveries are fanned out where an alert is raised.
    var.email.enabled ? {
      EMAIL_ENABLED     = "true"
      EMAIL_SMTP_SERVER = var.email.server
      EMAIL_SMTP_PORT   = var.email.port
      EMAIL_FROM        = var.email.from
    } : {},
    # The console lets the account through whom the company's own system does not know.
    id == "console" ? { BELFRY_OPERATORS = google_service_account.operator.email } : {},
    id == "notify_email" && var.email.username != "" ? { EMAIL_USERNAME = var.email.username } : {},
  ) }

  # Who may call a function: IAM asks first (the invoker binding), the function's own code asks again.
  kickers = [google_service_account.scheduler.email, local.emails["sweeper"], local.emails["dispatcher"], local.emails["console"]]
  callers = { for id, function in local.functions : id =>
    id == "console" ? [local.proxy_agent] :
    id == "migrate" ? [google_service_account.operator.email] :
    contains(keys(local.pushes), id) ? [google_service_account.pusher.email] :
    contains(keys(local.jobs), id) ? local.kickers : []
  }

  # These call functions whose ingress is internal, and such a call counts as internal only through the VPC.
  callers_of_functions = ["sweep_runs", "dispatch_dependents"]
}

module "function" {
  source   = "./modules/function"
  for_each = local.deployed

  project         = var.project
  region          = var.region
  name            = each.value.name
  entry_point     = each.key
  description     = each.value.title
  labels          = { category = each.value.category }
  bucket          = google_storage_bucket.sources.name
  archive         = google_storage_bucket_object.archive[each.key].name
  builder         = google_service_account.builder.name
  repository      = google_artifact_registry_repository.images.id
  service_account = local.emails[each.value.class]
  memory          = each.value.memory
  timeout         = each.value.timeout + 30 # the run ends itself at its timeout; this is for what has hung
  max_instances   = each.value.max_instances
  environment     = local.environment[each.key]
  network         = google_compute_network.this.id
  subnetwork      = google_compute_subnetwork.functions.id
  all_traffic     = contains(local.callers_of_functions, each.key)

  # An engineer calls migrate from outside; IAM lets the account `operator` in and nobody else.
  internal = each.key != "migrate"

  secrets = { for name, secret in local.secret_environment[each.key] : name => {
    secret  = google_secret_manager_secret.this[secret].secret_id
    version = local.secrets[secret].version
  } }

  invokers = [for email in local.callers[each.key] : "serviceAccount:${email}"]

  # A revision starts only if its account can read its secrets, and a build needs its rights.
  depends_on = [
    google_secret_manager_secret_iam_member.reader,
    google_project_iam_member.builder,
    google_artifact_registry_repository_iam_member.builder,
  ]
}
