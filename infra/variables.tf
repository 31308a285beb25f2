variable "environment" {
  description = "Which of the deployments this is; a label on everything it owns."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.environment))
    error_message = "environment: 2 to 20 of a-z, 0-9 and -, beginning with a letter, such as staging."
  }
}

variable "project" {
  description = "Id of the GCP project. It holds one Belfry and, best, nothing else."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project: a project id has 6 to 30 of a-z, 0-9 and -; the display name and the number are something else."
  }
}

variable "project_number" {
  description = "Number of the same project: Cloud Run's addresses and Google's own service agents carry it."
  type        = string

  validation {
    condition     = can(regex("^[1-9][0-9]{5,18}$", var.project_number))
    error_message = "project_number: digits only, as `gcloud projects describe PROJECT --format='value(projectNumber)'` prints them."
  }
}

variable "region" {
  description = "Where everything runs; functions, scheduler and database share it."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region: such as asia-east2; a zone (asia-east2-a) is not a region."
  }
}

variable "archives" {
  description = "The list of archives that `python -m infra package` writes; null: .build/archives.json beside this file."
  type        = string
  default     = null
}

variable "log_level" {
  description = "LOG_LEVEL of every function."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.log_level)
    error_message = "log_level: DEBUG, INFO, WARNING or ERROR."
  }
}

# ── database ───────────────────────────────────────────────────────────────────────────────────────────────────────

variable "database_tier" {
  description = "Machine of the database: db-custom-CPUS-MB."
  type        = string
  default     = "db-custom-2-7680"

  validation {
    # Shared-core machines have no service level and no room for max_connections.
    condition     = can(regex("^db-custom-([1-9]|[1-9][0-9])-[0-9]{4,6}$", var.database_tier))
    error_message = "database_tier: db-custom-CPUS-MB, such as db-custom-2-7680."
  }
}

variable "database_disk_gb" {
  description = "First size of the disk in GB; it grows by itself."
  type        = number
  default     = 20

  validation {
    condition     = var.database_disk_gb >= 10 && var.database_disk_gb <= 65536 && floor(var.database_disk_gb) == var.database_disk_gb
    error_message = "database_disk_gb: a whole number from 10 to 65536."
  }
}

variable "database_standby" {
  description = "Whether a standby in another zone takes over (twice the price)."
  type        = bool
  default     = false
}

variable "database_reserve" {
  description = "Connections that functions never get: Cloud SQL's own, a migration, a person with psql."
  type        = number
  default     = 20

  validation {
    condition     = var.database_reserve >= 10 && floor(var.database_reserve) == var.database_reserve
    error_message = "database_reserve: a whole number, at least 10 (Cloud SQL itself takes some)."
  }
}

variable "deletion_protection" {
  description = "Whether the database refuses to be destroyed. False only to take a deployment down for good."
  type        = bool
  default     = true
}

variable "database_migrator_password" {
  description = "Password of the user that owns the schema; `make deploy` reads it from Secret Manager. In no plan and no state."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}

# ── secrets: versions, never values ────────────────────────────────────────────────────────────────────────────────

variable "database_password_versions" {
  description = "Which version of each database password is in force. A new number rotates it."
  type        = object({ app = optional(number, 1), migrator = optional(number, 1) })
  default     = {}

  validation {
    condition     = alltrue([for version in values(var.database_password_versions) : version >= 1 && floor(version) == version])
    error_message = "database_password_versions: whole numbers from 1; Secret Manager counts so."
  }
}

variable "secret_environment" {
  description = "Further secrets by the name of their environment variable, such as CREDENTIAL_ERP: the pinned version and the functions that get it."
  type        = map(object({ version = number, functions = set(string) }))
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.secret_environment) : can(regex("^[A-Z][A-Z0-9_]{2,62}$", name))])
    error_message = "secret_environment: names of environment variables: A-Z, 0-9 and _."
  }

  validation {
    condition     = alltrue([for secret in values(var.secret_environment) : secret.version >= 1 && floor(secret.version) == secret.version])
    error_message = "secret_environment: a version is a whole number from 1; \"latest\" would change a function without a deployment."
  }

  validation {
    condition     = length(setintersection(keys(var.secret_environment), ["DATABASE_PASSWORD", "EMAIL_PASSWORD"])) == 0
    error_message = "secret_environment: DATABASE_PASSWORD and EMAIL_PASSWORD have variables of their own."
  }
}

# ── channels ───────────────────────────────────────────────────────────────────────────────────────────────────────

variable "email" {
  description = "The e-mail channel. Its password is the secret email-password, of which password_version is in force."
  type = object({
    enabled          = optional(bool, false)
    server           = optional(string, "")
    port             = optional(number, 587)
    from             = optional(string, "")
    username         = optional(string, "")
    password_version = optional(number, 1)
  })
  default = {}

  validation {
    condition     = !var.email.enabled || (var.email.server != "" && can(regex("^[^@\\s<>]+@[^@\\s<>]+$", var.email.from)))
    error_message = "email: an enabled channel needs server and from, an address without a display name."
  }

  validation {
    condition     = var.email.port >= 1 && var.email.port <= 65535 && var.email.password_version >= 1
    error_message = "email: port is 1 to 65535, password_version a number from 1."
  }
}

# ── people ─────────────────────────────────────────────────────────────────────────────────────────────────────────

variable "console_members" {
  description = "Who Identity-Aware Proxy lets through to the console (what they may do there is Belfry's own roles)."
  type        = set(string)

  validation {
    condition     = length(var.console_members) > 0 && alltrue([for member in var.console_members : can(regex("^(user|group|domain|serviceAccount):[^\\s:]+$", member))])
    error_message = "console_members: user:, group:, domain: or serviceAccount: and an address each; nobody is not enough, everybody is too many."
  }
}

variable "operators" {
  description = "Who may act as the account `operator`: call migrate, and the console's API from a command line."
  type        = set(string)

  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(user|group|serviceAccount):[^\\s@:]+@[^\\s@:]+$", member))])
    error_message = "operators: user:, group: or serviceAccount: and an address each."
  }
}

variable "alarm_email" {
  description = "Where Google Cloud itself writes when Belfry cannot: the sweeper is silent, messages are dead, the budget is spent."
  type        = string

  validation {
    condition     = can(regex("^[^@\\s<>,;]+@[^@\\s<>,;]+\\.[^@\\s<>,;]+$", var.alarm_email))
    error_message = "alarm_email: exactly one address."
  }
}

# ── money ──────────────────────────────────────────────────────────────────────────────────────────────────────────

variable "billing_account" {
  description = "Billing account that the budget watches; null: no budget."
  type        = string
  default     = null

  validation {
    condition     = var.billing_account == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "billing_account: three groups of six, such as 0A1B2C-3D4E5F-678901."
  }
}

variable "monthly_budget" {
  description = "Whole units of the billing account's currency a month; 50, 90 and 100 percent of it are told."
  type        = number
  default     = 200

  validation {
    condition     = var.monthly_budget >= 1 && floor(var.monthly_budget) == var.monthly_budget
    error_message = "monthly_budget: a whole number, at least 1."
  }
}

# ── network ────────────────────────────────────────────────────────────────────────────────────────────────────────

variable "subnet_range" {
  description = "Addresses of the functions inside the VPC."
  type        = string
  default     = "10.64.0.0/20"

  validation {
    # Cloud Run takes addresses sixteen at a time, keeps them for a while, and asks for two an instance.
    condition     = can(cidrhost(var.subnet_range, 0)) && try(tonumber(split("/", var.subnet_range)[1]) <= 22, false)
    error_message = "subnet_range: a range of /22 or larger, such as 10.64.0.0/20."
  }
}
