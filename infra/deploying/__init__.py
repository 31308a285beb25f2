"""What `plan` and `deploy` do: which project, Terraform, the few calls to Google that Terraform cannot make, and whom
they speak as. What the cloud is made of stands in the .tf files, not here.
"""
