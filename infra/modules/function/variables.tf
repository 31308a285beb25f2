variable "project" { type = string }
variable "region" { type = string }

variable "name" {
  description = "Name in the cloud: the id with - for _."
  type        = string
}

variable "entry_point" {
  description = "The id: the function of this name in main.py."
  type        = string
}

variable "description" { type = string }
variable "labels" { type = map(string) }
variable "bucket" { type = string }

variable "archive" {
  description = "Object that holds the source; its name carries the hash."
  type        = string
}

variable "builder" {
  description = "Service account of the build, projects/.../serviceAccounts/..."
  type        = string
}

variable "repository" {
  description = "Where the image goes, projects/.../repositories/..."
  type        = string
}

variable "service_account" {
  description = "E-mail of the account that the function runs as."
  type        = string
}

variable "memory" { type = string }

variable "timeout" {
  description = "Seconds until Google ends a request."
  type        = number
}

variable "max_instances" { type = number }
variable "environment" { type = map(string) }

variable "secrets" {
  description = "Environment variable -> secret and pinned version."
  type        = map(object({ secret = string, version = number }))
}

variable "network" { type = string }
variable "subnetwork" { type = string }

variable "all_traffic" {
  description = "Whether every call leaves through the VPC, not only those to private addresses."
  type        = bool
}

variable "internal" {
  description = "Whether only this project's Cloud Scheduler, Pub/Sub and VPC reach it."
  type        = bool
}

variable "invokers" {
  description = "Members of roles/run.invoker, all of them."
  type        = list(string)

  validation {
    condition     = length(var.invokers) > 0 && alltrue([for member in var.invokers : startswith(member, "serviceAccount:")])
    error_message = "A function is called by service accounts, by at least one, and by nobody else."
  }
}
