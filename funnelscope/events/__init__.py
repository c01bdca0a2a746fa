"""What a shop delivers and what is computed from it, each declared once.

Holds: the event schema (families, event types, columns) and the metrics registry (key, unit, rule over several days).
In: nothing. Out: constants for ingest, the SQL models, the report and the documentation.
May import: messages.
"""
