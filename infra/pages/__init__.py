"""Pages made from cron.yaml and kept in the repository: README's table of jobs, the catalogue for business readers."""
