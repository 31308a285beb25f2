"""What may come in, from whom, and how it is answered: ticks and Pub/Sub pushes."""
