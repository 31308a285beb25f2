terraform {
  # The bucket and the prefix come from `make plan` and `make deploy` (-backend-config): one state an environment.
  backend "gcs" {}
}
