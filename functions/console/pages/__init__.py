"""The pages, one file per page. What a page shows is read in queries/, how it looks is in templates/."""
