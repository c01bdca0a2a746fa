"""Funnels that a shop declares itself: the specification, the events, and the answer.

Holds: `specification` (YAML or JSON), events from files or from the staged tables, the engine, and daily answers.
In: a funnel file and events. Out: units, converted, lost and pending of each step; marts.own_funnels.
May import: messages, events, settings, warehouse, ingest.
"""
