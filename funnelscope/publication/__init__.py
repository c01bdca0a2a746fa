"""Everything that leaves the warehouse, for readers or for good.

Holds: the published snapshots, backup and restore, retention, and the erasure of a person.
In: days that passed the gate. Out: published/current, backups.
May import: messages, events, settings, warehouse, ingest, quality, localization, diagnosis, funnels.
"""
