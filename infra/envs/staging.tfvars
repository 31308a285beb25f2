# Replace project, project_number and the addresses; `make plan ENV=staging` refuses the examples.
environment    = "staging"
project        = "example-belfry-staging"
project_number = "100000000001"
region         = "asia-east2"

database_tier       = "db-custom-1-3840"
database_disk_gb    = 10
deletion_protection = true

console_members = ["group:erp-operations@example.com"]
operators       = ["group:erp-platform@example.com"]
alarm_email     = "erp-platform@example.com"

billing_account = null
