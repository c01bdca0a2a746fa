"""What the UI shows of an asset: its last day only, small, without anybody's ids, and never at the run's expense."""

import base64
import re
from typing import Any
from xml.etree import ElementTree

import dagster as dg
import pytest
from dagster._serdes import serialize_value
from diagnosis_world import World, settings_of

from assets import metadata
from assets.quality_assets import format_reasons
from assets.resources import Shop
from funnelscope.messages.markdown import fence_code
from funnelscope.quality.gate import DayVerdict, Verdict, VerdictReason
from funnelscope.reporting import table_overview
from funnelscope.warehouse.checks import Severity
from funnelscope.warehouse.models import derive_schemas, load_models

LAST = 31
MOST_BYTES_OF_A_TABLE = 30_000
MODELS = list(load_models().values())
MARTS = [model for model in MODELS if model.schema == "marts" and not model.is_view]


def shop_of(world: World) -> Shop:
    shop = Shop()
    shop._settings, shop._warehouse = world.settings, world.warehouse
    return shop


@pytest.fixture(scope="module")
def world() -> World:
    """Thirty clean days and one with a broken coupon, which is diagnosed."""
    world = World(settings_of(language="en"))
    world.add_days(1, LAST - 1)
    world.add_days(LAST, LAST, coupon_loss=0.6)
    world.diagnose(LAST, LAST)
    return world


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    return shop_of(world)


def lines_of(value: Any) -> list[list[str]]:
    """A markdown table without its ruler, each cell as a reader sees it."""
    assert isinstance(value, dg.MarkdownMetadataValue)
    apart = [line.replace(" | ", " \x00 ") for line in value.md_str.splitlines()]
    lines = [re.sub(r"\\(.)", r"\1", line) for line in apart]
    return [line.removeprefix("| ").removesuffix(" |").split(" \x00 ") for line in [lines[0], *lines[2:]]]


def tables_in(value: Any) -> Any:
    """The tables of a markdown text, without what stands around them."""
    lines = [line for line in value.md_str.splitlines() if line.startswith("|")]
    return dg.MetadataValue.md("\n".join(lines))


def columns_of(value: Any) -> dict[str, list[str]]:
    """A table that stands on its side: the name of each column with its values."""
    return {name: values for name, *values in lines_of(value)}


def svg_of(value: Any) -> ElementTree.Element:
    assert isinstance(value, dg.MarkdownMetadataValue)
    found = re.fullmatch(r"!\[[\w.\\]+\]\(data:image/svg\+xml;base64,(.*)\)", value.md_str)
    assert found
    return ElementTree.fromstring(base64.b64decode(found[1]))


@pytest.mark.parametrize("model", MODELS, ids=[model.table for model in MODELS])
def test_every_table_can_be_shown_even_when_it_is_empty(shop: Shop, world: World, model: Any) -> None:
    shown = metadata.describe_table_day(shop, model, world.day(LAST))
    assert "not_shown" not in shown
    has_picture = (
        model in MARTS and model.table not in table_overview.LONG_TABLES
    )  # a row for each thing: without rows, none
    assert ("last_days" in shown) == has_picture
    assert sum(len(serialize_value(value)) for value in shown.values()) < MOST_BYTES_OF_A_TABLE


def test_a_cube_shows_its_largest_slices_and_the_rate_and_counts_of_four_weeks(shop: Shop, world: World) -> None:
    shown = metadata.describe_table_day(shop, load_models()["marts.landing_cube"], world.day(LAST))
    sample = columns_of(shown["last_rows"])
    assert sample["business_date"] == [str(world.day(LAST))] * table_overview.SAMPLE_ROWS
    largest = world.warehouse.value(
        "select max(sessions) from marts.landing_cube where business_date = $day", day=world.day(LAST)
    )
    assert sample["sessions"][0] == f"{largest:,}"
    texts = [text.text for text in svg_of(shown["last_days"]).iter("{http://www.w3.org/2000/svg}text")]
    entered, passed = world.warehouse.rows(
        "select sum(sessions), sum(reached_qualified_product_view) from marts.landing_cube where business_date = $day",
        day=world.day(LAST),
    )[0]
    assert texts[texts.index("sessions") + 1] == f"{entered:,}"
    assert texts[texts.index("qualified_product_view rate") + 1] == f"{passed / entered:.1%}"
    assert f"28 days to {world.day(LAST)}, each line from zero" in texts


def test_a_table_is_shown_in_the_first_run_of_a_home_before_any_day_is_judged(world: World) -> None:
    warehouse, model = world.warehouse, load_models()["marts.landing_cube"]
    warehouse.execute("alter table quality.day_verdict rename to set_aside")
    try:
        assert table_overview.draw_last_weeks(warehouse, model, world.day(LAST), world.settings)
    finally:
        warehouse.execute("alter table quality.set_aside rename to day_verdict")


def test_a_sample_holds_no_id_of_a_person_a_session_or_an_order() -> None:
    """Dagster keeps what it was shown; a person who is to be forgotten must not live on there."""
    for model in MODELS:
        ids = {name for name, _ in derive_schemas()[model.table] if name.endswith("_id")} - {"product_id"}
        assert not ids & set(table_overview.select_shown_columns(model)), model.table


@pytest.mark.parametrize("name", ["![x](http://host/x.png)", "a | b", "<img src=x>", "*bold* _x_ `code`", "\\ # ~~~"])
def test_a_name_can_neither_break_a_table_nor_load_a_picture(name: str) -> None:
    (value,) = metadata.show_rows("rows", [{"name": name, "n": 2**60 + 1, "nothing": None, "yes": True}]).values()
    unescaped = re.sub(r"\\[^A-Za-z0-9\s]", "", value.md_str)
    assert not set("![]()<>*_`#~") & set(unescaped.replace("---", ""))
    assert unescaped.splitlines()[-1].count("|") == 5
    assert "1,152,921,504,606,846,977 |  | True |" in value.md_str
    assert metadata.show_rows("rows", []) == {}


HOSTILE = (
    "![x](http://evil.example/p.png) <script>alert(1)</script> [a](javascript:alert) | b "
    "\n\n# c\n- dangerous www.evil.example e@evil.example <img src=x onerror=alert(1)> `f` **g** &lt;h"
)


def find_what_markdown_would_draw(text: str) -> list[str]:
    """Pictures, links, tags, addresses, headings, lists and code that are left once escaped signs are gone."""
    ours = re.sub(r"!\[([^\]\\]|\\.)*\]\(data:image/[^)]*\)", "", text)
    bare = re.sub(r"\\[^A-Za-z0-9\s]", "", ours)
    return re.findall(r"[\[\]<>`*]|https?:?//|www\.|e@evil|javascript:|^#.*|^- dangerous|&\w+;", bare, re.MULTILINE)


def test_a_hostile_name_is_text_wherever_the_ui_draws_markdown() -> None:
    """A coupon of that name goes from the cube through the diagnosis; others are a file's, a reason's, a picture's."""
    world = World(settings_of(language="en"))
    world.add_days(1, LAST - 1)
    world.add_days(LAST, LAST, coupon_loss=0.6)
    world.warehouse.execute("update marts.checkout_cube set coupon = $name where coupon = 'WELCOME10'", name=HOSTILE)
    world.diagnose(LAST, LAST)
    shown = metadata.describe_diagnosis_day(shop_of(world), world.day(LAST))["findings"].value
    assert shown.count("evil") > 3
    reason = VerdictReason("family_missing", f"order: {HOSTILE}", HOSTILE, "", Severity.BLOCK, "", "")
    reasons = format_reasons([DayVerdict(world.day(LAST), Verdict.BLOCKED, (reason,))])
    assert len(reasons.splitlines()) == 1
    for text in (shown, reasons, metadata.embed_picture(HOSTILE, b"", "png").value):
        assert find_what_markdown_would_draw(text) == []


def test_code_cannot_end_its_block() -> None:
    assert fence_code("a\n```\n<script>\n````", "yaml").splitlines()[0] == "`````yaml"


def test_a_finding_shows_status_slice_loss_and_a_chart(shop: Shop, world: World) -> None:
    shown = metadata.describe_diagnosis_day(shop, world.day(LAST))
    finding = columns_of(tables_in(shown["findings"]))
    assert (finding["status"], finding["slice"]) == (["confirmed"], ["coupon WELCOME10"])
    assert finding["since"] == [str(world.day(LAST))]
    assert re.fullmatch(r"[\d,]+ \([\d,]+ to [\d,]+\)", finding["lost orders"][0])
    assert shown["confirmed"] == 1
    assert shown["findings"].value.count("data:image/png;base64,") == 1


@pytest.mark.parametrize("status", ["provisional", "withheld"])
def test_a_finding_on_doubtful_data_says_so_first_and_why_beside_its_evidence(world: World, status: str) -> None:
    day = world.day(LAST)
    finding_id = world.rows("findings", LAST)[0]["finding_id"]
    with world.warehouse.transaction():
        world.warehouse.execute(
            "update diagnosis.findings set status = $status, status_reason = 'half of the events are missing' "
            "where business_date = $day",
            status=status,
            day=day,
        )
        world.warehouse.execute(
            "insert into diagnosis.evidence by name select $day as business_date, $finding_id as finding_id, "
            "'series' as kind, 'coupon_error_rate' as name, '{}' as slice, 0.6453 as today, 0.01107 as usual, "
            "$day as since_date, true as is_before, 'all | at once' as note",
            day=day,
            finding_id=finding_id,
        )
        shown = metadata.describe_diagnosis_day(shop_of(world), day)
        world.warehouse.execute("delete from diagnosis.evidence where business_date = $day", day=day)
        world.warehouse.execute(
            "update diagnosis.findings set status = 'confirmed', status_reason = '' where business_date = $day", day=day
        )
    table = tables_in(shown["findings"])
    finding = columns_of(table)
    assert list(finding.items())[1:3] == [
        ("status", [status]),
        ("why not confirmed", ["half of the events are missing"]),
    ]
    assert shown[status] == 1
    (evidence,) = [line for line in lines_of(table) if line[0] == "coupon_error_rate"]
    assert evidence[1] == f"1. coupon WELCOME10 ({status})"
    assert evidence[3:6] == ["0.6453", "0.01107", str(day)]
    assert evidence[6:] == ["before or with it", "all | at once"]


def test_what_cannot_be_shown_stops_nothing(monkeypatch: pytest.MonkeyPatch, shop: Shop, world: World) -> None:
    def fail(*_: object) -> None:
        raise OSError("no picture today")

    monkeypatch.setattr(metadata, "read_sample_rows", fail)
    shown = metadata.describe_table_day(shop, MARTS[0], world.day(LAST))
    assert shown == {"not_shown": "OSError: no picture today"}
