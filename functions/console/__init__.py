"""The management page and its REST API, served by one function. No job is decided about here."""
