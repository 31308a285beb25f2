terraform {
  required_version = ">= 1.11.0" # write-only attributes: a password that no state file ever holds

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region

  # Budgets are asked of an API that wants to know whose quota they use.
  billing_project       = var.project
  user_project_override = true

  default_labels = {
    app         = "belfry"
    environment = var.environment
  }
}
