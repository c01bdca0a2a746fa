"""Which slices of a cube explain a change: a cube in, slices out.

Holds: the scan, the choice of the level, the search over sums, and the expectation of each leaf. README.md shows how to
use it alone.
In: a pandas frame of leaves with counts or sums of two periods. Out: findings with effect, interval and p-value.
May import: messages; no database, no settings, no Dagster.
"""
