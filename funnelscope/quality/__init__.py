"""Decides whether a day may be published.

Holds: the gate (contracts in SQL, expectations on frames) and its verdict of each day.
In: the built tables of a day. Out: quality.results, quality.day_verdict, quality.slice_warnings.
May import: messages, events, settings, warehouse, ingest.
"""
