"""What is owed and what became of it: due ticks, leases, dependents, incidents, what may be forgotten."""
