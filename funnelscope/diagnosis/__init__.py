"""What is wrong with a day: stage, slice, since when, how surely, at what cost. Method: docs/diagnosis.md.

Holds: comparable days and their baseline, overdispersion, the daily scan of every step, data faults, fault classes,
loss estimate, evidence, follow-up, and the narrative of a finding.
In: the marts of a day and of those before it. Out: the tables of the schema `diagnosis`.
May import: messages, events, settings, warehouse, ingest, quality, localization.
"""
