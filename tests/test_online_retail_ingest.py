"""The example reads a real shop's two years by declaration alone, to the line and to the cent."""

import os
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from funnelscope.ingest import find_duplicates, reconcile, take_deliveries
from funnelscope.settings import load_settings
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from pipelines.examples import EXAMPLES

ROOT = Path(__file__).parents[1]
DATA = Path(
    os.environ.get("FUNNELSCOPE_ONLINE_RETAIL")
    or ROOT.parent / "shared" / "data" / "online_retail" / "onlineretail.parquet"
)

pytestmark = pytest.mark.skipif(
    not DATA.is_file(), reason="Online Retail is not here: see examples/online_retail, set FUNNELSCOPE_ONLINE_RETAIL"
)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    home = tmp_path_factory.mktemp("online_retail")
    EXAMPLES["online_retail"].lay_out(home / "exports", DATA)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FUNNELSCOPE_HOME", str(home))
        settings = load_settings(EXAMPLES["online_retail"].config)
    opened = open_in_memory_warehouse()
    intake = take_deliveries(opened, settings)
    assert (intake.rows_read, intake.rows_loaded, intake.rows_quarantined) == (541_909, 541_909, 0)
    yield opened
    opened.connection.close()


def test_no_line_invoice_or_customer_is_lost(warehouse: Warehouse) -> None:
    (counts,) = warehouse.records(
        """
        select
            count(*) as lines,
            count(distinct order_id) as invoices,
            count(distinct order_id) filter (event_type = 'refunded') as cancellations,
            count(distinct customer_id) as customers,
            count(*) filter (customer_id is null) as lines_without_customer,
            count(*) filter (repeat_number > 0) as repeated_lines,
            count(distinct event_id) as events
        from raw.order_events
        """
    )
    assert counts == {
        "lines": 541_909,
        "invoices": 25_900,
        "cancellations": 3_836,
        "customers": 4_372,
        "lines_without_customer": 135_080,
        "repeated_lines": 5_268,
        "events": 541_909,
    }


def test_paid_less_refunded_is_the_sum_of_all_lines(warehouse: Warehouse) -> None:
    amounts = dict(warehouse.rows("select event_type, sum(amount) from raw.order_events group by event_type"))
    assert amounts["paid"] - amounts["refunded"] == Decimal("9747747.93")
    left_out = dict(
        warehouse.rows(
            "select excluded_reason, sum(amount) from raw.order_events "
            "where excluded_reason is not null group by excluded_reason"
        )
    )
    assert left_out == {"write_off": Decimal("0.00")}


def test_repeats_that_are_kept_are_no_duplicates(warehouse: Warehouse) -> None:
    find_duplicates(warehouse, date(2010, 12, 1), date(2011, 12, 9))
    (record,) = reconcile(warehouse)
    assert (record["accepted"], record["duplicates"], record["difference"]) == (541_909, 0, 0)
    assert warehouse.value("select repeats_kept from quality.deliveries") == 5_268


def test_december_s_new_customers_and_who_of_them_came_back(warehouse: Warehouse) -> None:
    counts = warehouse.rows(
        """
        with
        months as (
            select distinct customer_id, date_trunc('month', business_date) as month
            from raw.order_events
            where event_type = 'paid' and excluded_reason is null and amount > 0 and customer_id is not null
        ),
        firsts as (select customer_id, min(month) as first_month from months group by customer_id)
        select count(*), count(months.customer_id)
        from firsts
        left join months on firsts.customer_id = months.customer_id and months.month = DATE '2011-01-01'
        where first_month = DATE '2010-12-01'
        """
    )
    assert counts == [(885, 324)]
