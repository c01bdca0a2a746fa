"""The DuckDB file and the SQL that fills it.

Holds: connection and write lock, models and checks read from sql/, lineage, bulk insert, the canonical export, and
where the published copy lies.
In: SQL files and parameters. Out: tables, one transaction a partition.
May import: messages, events, settings.
"""
