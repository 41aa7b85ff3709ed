"""Markup and pictures: escaping, numbers, marks where they belong, words for all that is drawn."""

import math
import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from findings.intervals import Interval
from findings.slices import Slice
from page import charts, sections
from page.charts import Row, Scale
from page.markup import Html, between, join, plain, signed, tag

UNKNOWN = Interval(0.11, math.nan, math.nan, 9)  # of too few users for an interval
ROWS = [
    Row("ALS & co", Interval(0.1, 0.08, 0.12, 50), "0.100 (0.080 to 0.120)", "als"),
    Row("hybrid", Interval(0.12, 0.1, 0.14, 50), "0.120 (0.100 to 0.140)", "hybrid"),
    Row("ceiling", Interval(0.7, 0.6, 0.8, 50), "0.700", "baseline", is_off_scale=True),
]
FEW = [*ROWS, Row("few", UNKNOWN, "0.110")]
PICTURES = {
    "no interval": charts.interval_rows("Few", "MAP", FEW, charts.span_of(FEW)),
    "intervals": charts.interval_rows("Two < three", "MAP", ROWS, charts.span_of(ROWS)),
    "lines": charts.lines(
        "MAP by k", ("k", "MAP"), [1, 2], {"ALS": ("als", [0.1, 0.2]), "x": ("baseline", [0, 0])}
    ),
    "no probability": charts.reliability("None", [(0.0, Interval(0, 0, 0, 9))]),
    "one line": charts.lines("Curve", ("trees", "MAP"), [5], {"model": ("hybrid", [0.1])}),
    "bars": charts.bars("Gain", "share", [("als", 0.7, 0.9), ("item", 0.0, 0.1)]),
    "columns": charts.columns("Rows", "rows", [3, 5], ["history", "test"]),
    "reliability": charts.reliability(
        "Reliability",
        [
            (0.0, Interval(0, 0, 0, 9)),
            (0.001, Interval(0, 0, 0, 9)),
            (0.1, UNKNOWN),
            (0.2, Interval(0.1, 0.0, 0.2, 9)),
        ],
    ),
}


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", "a < b", tag("b", "&"), class_="x", data_a='"') == (
        '<p class="x" data-a="&quot;">a &lt; b<b>&amp;</b></p>'
    )
    assert isinstance(join("a", None, Html("<br>")), Html)
    assert join("<", None, Html("<br>")) == "&lt;<br>"


def test_numbers_in_attributes_are_short() -> None:
    assert tag("i", x=1.0, y=-0.001, z=2.345678, of=None) == '<i x="1" y="0" z="2.35"></i>'


def test_numbers_in_texts() -> None:
    assert signed(0.0123) == "+0.012"
    assert signed(-0.5, 1) == "\N{MINUS SIGN}0.5"
    assert plain(float("nan")) == "–"
    assert between(-0.1, 0.1, 1) == "\N{MINUS SIGN}0.1 to 0.1"
    assert between(math.nan, math.nan) == "too few users"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.03, 0.05, [-0.02, 0, 0.02, 0.04]),
        (0.11, 0.19, [0.12, 0.14, 0.16, 0.18]),
        (2, 2, [2]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert charts.ticks(low, high) == expected


def test_a_scale_is_linear() -> None:
    scale = Scale(0, 2, 10, 30)
    assert (scale(0), scale(0.5), scale(2)) == (10, 15, 30)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_says_what_it_shows(name: str) -> None:
    root = ElementTree.fromstring(PICTURES[name])
    assert root.tag == "svg"
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == ["title", "desc"]
    assert all(child.text for child in list(root)[:2])
    assert "nan" not in PICTURES[name]


def test_intervals_stand_where_their_numbers_are() -> None:
    root = ElementTree.fromstring(PICTURES["intervals"])
    low, high = charts.span_of(ROWS)
    scale = Scale(low, high, 6, charts.WIDTH - 6)
    ranges = [line for line in root.iter("line") if line.get("class", "").startswith("range")]
    ends = [(float(line.get("x1")), float(line.get("x2"))) for line in ranges]
    expected = [(scale(row.interval.low), scale(row.interval.high)) for row in ROWS[:2]]
    assert [x for pair in ends for x in pair] == pytest.approx(
        [x for pair in expected for x in pair], abs=0.01
    )
    assert low < 0.08  # the row beyond the axis does not stretch it
    assert high < 0.2
    assert "beyond the axis" in PICTURES["intervals"]
    assert "Two &lt; three" in PICTURES["intervals"]


def test_what_has_no_interval_is_a_mark_alone() -> None:
    """At its value, without an influence on the axis but by that."""
    assert charts.span_of([Row("few", UNKNOWN, "")], has_zero=True)[1] > 0.11
    assert charts.span_of(FEW) == charts.span_of(ROWS)
    n_ranges = [PICTURES[name].count('class="range ') for name in ("no interval", "intervals")]
    n_marks = [PICTURES[name].count('class="fill ') for name in ("no interval", "intervals")]
    assert n_ranges == [2, 2]
    assert n_marks == [3, 2]


def test_kinds_have_shapes_of_their_own() -> None:
    """Whoever sees no colours sees them."""
    shapes = [re.match(r"<(\w+)", charts.mark(0, 0, kind))[1] for kind in ("als", "hybrid", "x")]
    assert shapes == ["circle", "path", "rect"]


def test_gains_show_zero() -> None:
    low, high = charts.span_of([Row("a", Interval(0.2, 0.1, 0.3, 9), "")], has_zero=True)
    assert low < 0 < high


SUMMARY = {
    "n_lists": 4,
    "n_users": 3,
    **{name: {"map@10": 0.5} for name in ("als", "hybrid")},
    "uplift": {"map@10": 0.1, "relative": 0.2}
    | dict.fromkeys(("ci95_low", "ci95_high", "p_value"), math.nan),
}
SUMMARY["uplift_over_best_baseline"] = {"name": "popular", **SUMMARY["uplift"]}


def test_a_verdict_of_few_users_claims_nothing() -> None:
    assert "cannot be told from ALS" in sections.headline(sections.gain_of(SUMMARY, "map@10"))
    said = sections.sentence("test", SUMMARY, 1, 10)
    assert "+0.100, no interval, too few users, over 4 lists of 3 users." in said
    tile = sections.tile("test", SUMMARY, 10)
    assert "p = " not in tile
    assert "nan" not in said + tile


def test_slices_of_few_users_have_an_axis() -> None:
    found = [Slice("gender", name, 0.1, 0.2, UNKNOWN, None) for name in "FM"]
    assert "nan" not in sections.slices(found, 10)
    none = [Slice("gender", "F", 0.0, 0.0, Interval(0, math.nan, math.nan, 3), None)]
    assert "too few users" in sections.slices(none, 10)


def test_a_learning_curve_without_points_is_said_in_words() -> None:
    none = pd.DataFrame({"trees": [], "map": []})
    assert "None: no list of the fold holds a relevant item." in sections.learning_curve(none)
