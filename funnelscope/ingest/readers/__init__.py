"""Reads rows from delivered files and queries: text, JSON lines, Parquet, attached databases."""
