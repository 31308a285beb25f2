# Replace project, project_number and the addresses; `make plan ENV=prod` refuses the examples.
environment    = "prod"
project        = "example-belfry-prod"
project_number = "100000000002"
region         = "asia-east2"

database_tier       = "db-custom-2-7680"
database_disk_gb    = 50
database_standby    = true
deletion_protection = true

email = {
  enabled  = true
  server   = "smtp.example.com"
  from     = "belfry@example.com"
  username = "belfry@example.com"
}

console_members = ["group:erp-operations@example.com", "group:erp-platform@example.com"]
operators       = ["group:erp-platform@example.com"]
alarm_email     = "erp-platform@example.com"

billing_account = "000000-000000-000000"
monthly_budget  = 400
