"""When and how Funnelscope runs.

Holds: definitions, jobs, schedules and sensors for Dagster, runs and their planning, and the command line in `cli`.
May import: assets, funnelscope.
"""
