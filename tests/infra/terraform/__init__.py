"""A stand-in for the provider hashicorp/google 8.7.0: its real schema, no cloud. Terraform reads, plans and applies
our configuration against it offline; only what stands between `terraform` and that schema belongs here.
"""
