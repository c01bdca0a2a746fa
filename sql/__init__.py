"""The warehouse, the event contract, the metrics registry and every SQL model. Knows no Dagster and no settings."""
