"""The DuckDB file and the SQL that fills it.

Holds: connection and write lock, models and checks read from sql/, lineage, bulk insert, the canonical export, and the
path of the published copy.
In: SQL files and parameters. Out: tables, one transaction per partition.
May import: messages, events, settings.
"""
