"""The company's business as tables and named queries: they return statements, nothing here executes one."""
