# What a tfvars file may say. Each run gives wrong values, and every variable must refuse its own.
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

run "another_thing_s_name" {
  command = plan

  variables {
    environment                = "Production (new)" # no label
    project                    = "Belfry Test"      # the display name
    project_number             = "belfry-test"      # the id
    region                     = "asia-east2-a"     # a zone
    log_level                  = "VERBOSE"
    database_tier              = "db-f1-micro"                                                               # a shared core
    secret_environment         = { credential-erp = { version = 1, functions = ["data_sync"] } }             # the secret's name, not the variable's
    email                      = { enabled = true, server = "smtp.example.com", from = "B <b@example.com>" } # a display name
    console_members            = ["allUsers"]
    operators                  = ["domain:example.com"]
    alarm_email                = "a@example.com, b@example.com"
    billing_account            = "0A1B2C"
    database_password_versions = { app = 1.5 }
  }

  expect_failures = [
    var.environment, var.project, var.project_number, var.region, var.log_level, var.database_tier, var.secret_environment,
    var.email, var.console_members, var.operators, var.alarm_email, var.billing_account, var.database_password_versions,
  ]
}

run "too_little" {
  command = plan

  variables {
    database_disk_gb   = 5
    database_reserve   = 0 # Cloud SQL itself takes some
    secret_environment = { CREDENTIAL_ERP = { version = 0, functions = ["data_sync"] } }
    email              = { enabled = true, from = "belfry@example.com" } # no server
    console_members    = []
    monthly_budget     = 0
    subnet_range       = "10.64.0.0/26"
  }

  expect_failures = [
    var.database_disk_gb, var.database_reserve, var.secret_environment, var.email, var.console_members,
    var.monthly_budget, var.subnet_range,
  ]
}

run "what_has_a_variable_of_its_own" {
  command = plan

  variables {
    secret_environment = { DATABASE_PASSWORD = { version = 1, functions = ["data_sync"] } }
  }

  expect_failures = [var.secret_environment]
}
