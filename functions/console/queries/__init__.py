"""What the console reads, as literal SQL: a fixed number of statements a page, whatever the number of rows."""
