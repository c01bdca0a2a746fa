"""Dagster assets and asset checks, one thin module per layer, in flow order.

The work itself is in funnelscope. `common` holds keys and partitions, `resources` the shop that a run holds open,
`metadata` what the UI displays, `catalog` the list of all assets.
May import: funnelscope.
"""
