"""From a delivered file, or a query, to rows: text, JSON lines, Parquet, attached databases."""
