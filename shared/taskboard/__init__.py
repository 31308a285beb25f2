"""People's tasks and duties, and the logs of the company's own system: named queries that return statements."""
