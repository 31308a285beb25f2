# What the configuration makes of its variables and of cron.yaml, on a provider that answers anything.
mock_provider "google" {}

variables {
  environment     = "test"
  project         = "belfry-test"
  project_number  = "123456789012"
  region          = "asia-east2"
  console_members = ["group:operations@example.com"]
  operators       = ["user:engineer@example.com"]
  alarm_email     = "platform@example.com"
}

run "as_it_stands" {
  command = plan

  assert {
    condition     = length(module.function) + 1 == length(local.cron.jobs) + length(local.cron.functions)
    error_message = "Every entry of cron.yaml is one function, and the console is one service."
  }

  assert {
    condition     = length(google_cloud_scheduler_job.job) == length([for job in values(local.cron.jobs) : job if can(job.schedule)])
    error_message = "Every job with a schedule has one bell."
  }

  assert {
    condition     = alltrue([for job in values(google_cloud_scheduler_job.job) : job.paused])
    error_message = "A bell is made silent; reload wakes it."
  }

  assert {
    condition     = jsondecode(base64decode(google_cloud_scheduler_job.job["sweep_runs"].http_target[0].body)) == { job = "sweep_runs" }
    error_message = "The body names the job."
  }

  assert {
    condition     = local.urls["sweep_runs"] == "https://sweep-runs-123456789012.asia-east2.run.app"
    error_message = "The address is the one that Cloud Run derives from name, project and region."
  }

  assert {
    condition     = toset(keys(local.secrets)) == toset(["database-app-password", "database-migrator-password"])
    error_message = "A channel that is off needs no secret."
  }

  assert {
    condition     = length(google_billing_budget.this) == 0
    error_message = "Without a billing account there is no budget."
  }
}

run "with_everything_on" {
  command = plan

  variables {
    email              = { enabled = true, server = "smtp.example.com", from = "belfry@example.com" }
    secret_environment = { CREDENTIAL_ERP = { version = 3, functions = ["data_sync"] } }
    billing_account    = "0A1B2C-3D4E5F-678901"
  }

  assert {
    condition     = local.environment["sweep_runs"].EMAIL_ENABLED == "true" && !contains(keys(local.secret_environment["sweep_runs"]), "EMAIL_PASSWORD")
    error_message = "Every function knows that the channel is on; its password is the channel's."
  }

  assert {
    condition     = local.secret_environment["notify_email"].EMAIL_PASSWORD == "email-password"
    error_message = "The channel reads its password."
  }

  assert {
    condition     = local.secret_environment["data_sync"].CREDENTIAL_ERP == "credential-erp" && local.secrets["credential-erp"].classes == toset(["integration"])
    error_message = "A further secret goes to the functions that are named, and may be read by their account only."
  }

  assert {
    condition     = length(google_billing_budget.this) == 1
    error_message = "With a billing account there is a budget."
  }
}

run "more_connections_than_the_database_has" {
  command = plan

  variables {
    database_reserve = 1000
  }

  expect_failures = [google_sql_database_instance.this]
}

run "a_list_without_archives" {
  command = plan

  variables {
    archives = "tests/nothing-there.json"
  }

  expect_failures = [google_storage_bucket_object.archive]
}
