"""What does a change of cron.yaml do before it is merged? One file a question; shared/cronfile judges what is valid."""
