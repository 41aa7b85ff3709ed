"""Markup and sections: escaping, words for every picture, nothing claimed of few users."""

import math
import re
import warnings
from xml.etree import ElementTree

import pandas as pd
import pytest

from evaluation.bootstrap import Interval
from evaluation.pictures import PALETTE, forest, gain_rows, signed
from reporting import sections
from reporting.page import figure, table, tag
from reporting.published import published

UNKNOWN = Interval(0.11, math.nan, math.nan, 9)  # too few users for an interval
METRICS = {"map@10": 0.5, "coverage@10": 0.1, "popularity@10": 0.9, "diversity@10": math.nan}
SUMMARY = {
    "n_lists": 4,
    "n_users": 3,
    "candidates": {"oracle_map@10": 0.9},
    **dict.fromkeys(("als", "hybrid"), METRICS),
    "uplift": {"map@10": 0.1, "relative": 0.2}
    | dict.fromkeys(("ci95_low", "ci95_high", "p_value"), math.nan),
}
SUMMARY["uplift_over_best_baseline"] = {"name": "popular", **SUMMARY["uplift"]}
BOTH = dict.fromkeys(("validation", "test"), SUMMARY)
WINDOWS = pd.DataFrame(
    [[f"{kind}{n}", 5, 4, 0.1, math.nan, math.nan] for kind in BOTH for n in ("", "_2")],
    columns=["fold", "window", "n_lists", "gain", "gain_low", "gain_high"],
)
SECTIONS = {
    "gains": lambda: figure("Gain", *forest(gain_rows(WINDOWS, BOTH, 10), "gain")),
    "slices": lambda: sections.slices({("a < b", name): UNKNOWN for name in ("$x$", "中文")}, 10),
    "ranker": lambda: sections.ranker(
        pd.DataFrame({"feature": ["als_rank", "age"], "gain": [1.0, 0.0]}),
        pd.Series({"als": 0.0}),
        pd.DataFrame({"trees": [], "map": []}),  # no list of the fold contains a relevant item
    ),
}


def test_text_is_escaped_and_markup_is_not() -> None:
    found = tag("p", "a < b", None, tag("b", "&"), class_="x", data_a='"', of=None)
    assert found == '<p class="x" data-a="&quot;">a &lt; b<b>&amp;</b></p>'
    assert '<th scope="row">&lt;</th><td>&gt;</td>' in table("", ["a"], [["<", ">"]])
    assert (signed(0.0123), signed(-0.5)) == ("+0.012", "\N{MINUS SIGN}0.500")


@pytest.mark.parametrize("name", SECTIONS)
def test_every_picture_describes_itself_and_has_the_colours_of_the_page(name: str) -> None:
    pictures = re.findall(r"<svg\b.*?</svg>", SECTIONS[name]())
    assert pictures
    for text in pictures:
        root = ElementTree.fromstring(text.replace("xlink:", ""))
        assert root.get("role") == "img"
        assert [child.tag for child in root][:2] == ["title", "desc"]
        assert all(child.text for child in list(root)[:2])
        assert "nan" not in "".join(child.text for child in root.iter("text"))
        colours = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", text))
        assert colours <= {"none", *(f"var(--{name})" for name in PALETTE)}
        for target in re.findall(r"(?:href=\"|url\()#([^\")]+)", text):
            assert text.count(f'id="{target}"') == 1


def test_a_picture_shows_names_as_they_are() -> None:
    """Names are not formulas or markup, and a missing glyph causes no warning."""
    with warnings.catch_warnings(action="error"):
        one = SECTIONS["slices"]()
    assert "$x$ · 9</text>" in one
    assert "中文 · 9</text>" in one
    assert "<title>By a &lt; b</title>" in one


ABOVE, BELOW, AROUND = (0.1, 0.05, 0.2), (-0.1, -0.2, -0.05), (0.1, -0.1, 0.2)


@pytest.mark.parametrize(
    ("over_als", "over_best", "validation", "verdict"),
    [
        (ABOVE, AROUND, ABOVE, "The hybrid beats ALS on the test windows"),
        (ABOVE, BELOW, ABOVE, "The hybrid is worse than popular on the test windows"),
        (BELOW, BELOW, ABOVE, "The hybrid is worse than ALS and popular on the test windows"),
        (ABOVE, ABOVE, BELOW, "The hybrid is worse than popular on the validation windows"),
        (AROUND, ABOVE, ABOVE, "does not differ significantly"),
        (UNKNOWN[:3], UNKNOWN[:3], ABOVE, "too few users"),
    ],
)
def test_the_verdict_follows_the_intervals(
    over_als: tuple, over_best: tuple, validation: tuple, verdict: str
) -> None:
    def summary(over_als: tuple, over_best: tuple) -> dict:
        names = ("map@10", "ci95_low", "ci95_high")
        als, best = (dict(zip(names, of, strict=True)) for of in (over_als, over_best))
        best["name"] = "popular"
        return {"n_lists": 9, "uplift": als, "uplift_over_best_baseline": best}

    both = {"validation": summary(ABOVE, validation), "test": summary(over_als, over_best)}
    assert verdict in sections.headline(both, 10)


def test_few_users_claim_nothing() -> None:
    """Without embeddings, there is no diversity."""
    page = sections.tile("test", SUMMARY, 1, 10)
    assert "+0.100 (too few users), over lists of 3 users." in page
    assert "p = " not in page
    baselines = {kind: {"popular": {"map@10": 0.4}} for kind in BOTH}
    page += sections.models(BOTH, baselines, {kind: {"als": UNKNOWN} for kind in BOTH}, 10)
    cells = ["0.5000", "+0.110 (too few users)"] * 2 + ["0.900 / 0.900", ""]
    assert '<th scope="row">als</th>' + "".join(f"<td>{of}</td>" for of in cells) in page
    page += sections.beyond_accuracy(dict.fromkeys(BOTH, {}), BOTH, 10)
    assert "<td>0.900</td><td>0.900</td>" in page
    assert "nan" not in page


def test_published_figures_stand_beside_those_of_the_same_week_rule_and_k() -> None:
    """The last window is week 26; the one before is week 25 only if no week is missing."""
    lists = pd.DataFrame(
        [["test", 0.5, 0.1], ["test", 0, 0.2], ["test_2", 1, 0.9]],
        columns=["fold", "ndcg_als", "ap_hybrid"],
    )
    rule = "like or share or bookmark or timespent >= 0.8 * duration"

    def ours(rule: str, k: int, n_windows: int) -> dict[tuple[str, ...], str]:
        """Return the figure of this run by metric, model and published figure."""
        windows = {"test": n_windows - 1, "test_2": n_windows - 2}
        found = published("ur0.01_ir0.01", rule, k, windows, lists)
        _, *rows = ElementTree.fromstring(f"<div>{found}</div>").iter("tr")
        cells = (["".join(cell.itertext()) for cell in row] for row in rows)
        return {tuple(key): value for *key, value in cells}

    assert published("ur0.1_ir0.1", rule, 10, {}, lists) is None
    ials = "NDCG@10, week 26", "iALS", "0.0118"
    for n_windows, earlier in ((27, "1.0000"), (26, "")):
        found = ours(rule, 10, n_windows)
        assert found[ials] == f"{(0.5 + 0) / 2:.4f}"
        assert found["NDCG@10, week 25", "iALS", "0.0170"] == earlier
        assert found["MAP@10, week 26", "hybrid", ""] == f"{(0.1 + 0.2) / 2:.4f}"
        assert found["NDCG@10, week 26", "BPR", "0.0092"] == ""
        assert found["NDCG@20, week 26", "iALS", "0.0262"] == ""
    assert ours("timespent > 5", 10, 27)[ials] == ours(rule, 20, 27)[ials] == ""
    assert ours("timespent  > 10", 20, 27)["NDCG@20, week 26", "iALS", "0.0262"] == "0.2500"
