"""cron.yaml: read with line and column, judged as a whole, frozen into specs; nothing here acts on them."""
