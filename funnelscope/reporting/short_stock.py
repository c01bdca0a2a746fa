"""Products that will be sold out soon, by what platforms state of stock and sales."""

from datetime import timedelta

import reports
from funnelscope.reporting.published_days import Published

MOST_DAYS = 2
PACE_DAYS = 7
LEAST_UNITS_A_DAY = 1.0
"""Of what sells less the pace is chance."""


def read_short_stock(published: Published) -> tuple[reports.ShortStock, ...]:
    """The products whose stock of the day lasts two days at most at the pace of the week, the best sellers first.

    A product of which nothing is in stock any more is one of them. Where a platform states variants of a product, each
    stands for itself. Days on which a product is not stated count with those on which nothing of it was sold.
    """
    if not published.is_day or not published.has_table("marts", "figures"):
        return ()
    rows = published.rows(
        """
        with products as (
            select
                platform, shop, object, parent, device,
                max_by(coalesce(object_name, object), business_date) as product,
                max(figure_value) filter (where metric = 'stock_units' and business_date = $to_date) as units,
                sum(figure_value) filter (where metric = 'paid_units') / $days as units_a_day
            from marts.figures
            where level = 'product' and object != '' and metric in ('stock_units', 'paid_units')
                and business_date between $since and $to_date
            group by all
        ),
        parents as (select distinct platform, shop, parent as object from products where parent != '')
        select platform, product, units::BIGINT, units_a_day::DOUBLE
        from products anti join parents using (platform, shop, object)
        where units >= 0 and units_a_day >= $least and units <= $most * units_a_day
        order by units_a_day desc, platform, product
        """,
        days=PACE_DAYS,
        since=published.business_date - timedelta(days=PACE_DAYS - 1),
        least=LEAST_UNITS_A_DAY,
        most=MOST_DAYS,
    )
    return tuple(reports.ShortStock(platform, name, units, pace) for platform, name, units, pace in rows)
