"""Funnels in SQL: a plan of plain parameters becomes statements for DuckDB."""
