"""The library: everything that Funnelscope does, without Dagster.

Rooms, each importing only those above it (tests/test_architecture.py checks this):

messages      every sentence that a user reads, in Chinese and English
events        the event schema of the four families, and the metrics registry
settings      funnelscope.yaml, calendar and change log
warehouse     the DuckDB file: connection, SQL models and checks, lineage
ingest        landing zone -> raw: readers, mapping, ledger, quarantine, exclusions
recognition   downloaded exports -> settings: which report a file is, and how it is read
quality       the gate: checks, expectations, the verdict of a day
localization  which slices of a cube explain a change; needs nothing else of ours
diagnosis     what is wrong with a day, where, since when, and what it costs
funnels       funnels that a shop declares itself, and the engine that counts them
publication   the readers' copy, backup, retention, erasure of a person
reporting     queries over the published copy -> the report's data; editions and delivery
simulator     a simulated shop, and the truth about it
"""
