"""What the business decides, in plain Python: levels, ladders, scores. No database, no clock, no dependency."""
