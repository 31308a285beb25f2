"""The cloud on a laptop: Postgres, Pub/Sub, Cloud Scheduler, function host, sinks, demo data. None of it is deployed."""
