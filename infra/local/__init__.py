"""The cloud on a laptop: Postgres, Pub/Sub, Cloud Scheduler, function host, sinks, demo data. It is never deployed."""
