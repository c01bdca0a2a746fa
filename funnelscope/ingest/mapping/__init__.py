"""Maps delivered columns to those of the event schema: expressions, times, value casts."""
