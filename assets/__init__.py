"""Dagster assets and asset checks, one thin module a layer, in the order of the flow.

The work itself is in funnelscope. `common` holds keys and partitions, `resources` the shop that a run holds open,
`metadata` what the UI shows, `catalog` the list of all.
May import: funnelscope.
"""
