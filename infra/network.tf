resource "google_compute_network" "this" {
  name                    = "belfry"
  auto_create_subnetworks = false

  # The default route to the internet gateway stays: Private Google Access uses it, and without a NAT nothing else can.
  delete_default_routes_on_create = false

  depends_on = [google_project_service.this]
}

resource "google_compute_subnetwork" "functions" {
  name          = "belfry-functions"
  network       = google_compute_network.this.id
  region        = var.region
  ip_cidr_range = var.subnet_range

  # How a kick reaches another function: run.app over Google's own network counts as internal, over the internet not.
  private_ip_google_access = true
}

# The private addresses that Cloud SQL's machines take.
resource "google_compute_global_address" "services" {
  name          = "belfry-services"
  network       = google_compute_network.this.id
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
}

resource "google_service_networking_connection" "services" {
  network                 = google_compute_network.this.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]

  # Google refuses to part with the peering for days after the last database is gone; the network goes with it.
  deletion_policy = "ABANDON"
}
