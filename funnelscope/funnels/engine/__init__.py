"""Funnels in SQL: translates a plan of plain parameters into statements for DuckDB."""
