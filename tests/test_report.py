"""The page of a run: whole, alone, the same bytes, and quiet in a real browser."""

import json
import re
import sys

import pandas as pd
import pytest

import browser
from browser import Browser
from clone import Clone
from page.markup import between, plain, signed

PAGE = "metrics/report.html"
MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def page(clone: Clone) -> str:
    return (clone.folder / PAGE).read_text(encoding="utf-8")


def test_it_is_one_small_file_that_loads_nothing(page: str) -> None:
    assert len(page.encode()) < MOST_BYTES
    for what in ("http", "<script", "<img", "<iframe", "@import", "url("):
        assert what not in page
    assert re.findall(r'<link [^>]*href="([^"]*)"', page) == ["data:,"]
    assert all(target.startswith("#") for target in re.findall(r'<a [^>]*href="([^"]*)"', page))


def test_every_link_has_its_target(page: str) -> None:
    targets = re.findall(r'<a [^>]*href="#([^"]*)"', page)
    assert targets
    assert set(targets) <= set(re.findall(r' id="([^"]*)"', page))


def test_every_picture_has_a_title_of_its_own(page: str) -> None:
    pictures = re.findall(r"<svg\b.*?</svg>", page, re.DOTALL)
    titles = [re.search(r"<title>(.+?)</title>", picture)[1] for picture in pictures]
    assert len(titles) == len(set(titles)) > 10
    assert all("<desc>" in picture for picture in pictures)


@pytest.mark.parametrize("kind", ["validation", "test"])
def test_the_verdict_is_that_of_the_metrics(clone: Clone, page: str, kind: str) -> None:
    of = json.loads((clone.folder / f"metrics/{kind}.json").read_text())
    gain = of["uplift"]
    assert (
        f"MAP@10 of the hybrid is {plain(of['hybrid']['map@10'])} and of ALS "
        f"{plain(of['als']['map@10'])}: {signed(gain['map@10'])}, 95 % interval "
        f"{between(gain['ci95_low'], gain['ci95_high'])}, over {of['n_lists']:,} lists of "
        f"{of['n_users']:,} users."
    ) in page


def test_every_model_stands_there_with_its_map(clone: Clone, page: str) -> None:
    tree = json.loads((clone.folder / "metrics/baselines.json").read_text())
    for kind in ("validation", "test"):
        for of in tree[kind].values():
            assert f"<td>{of['map@10']:.4f}</td>" in page


def test_sample_users_have_the_published_lists(clone: Clone, page: str) -> None:
    """Their hybrid lists, by title, in order."""
    lists = pd.read_parquet(clone.folder / "data/recommendations/validation.parquet")
    items = pd.read_parquet(clone.folder / "data/items.parquet")["item_id"]
    titles = pd.read_parquet(clone.folder / "data/item_titles.parquet")["title"]
    title_of = dict(zip(items, titles, strict=True))
    users = re.findall(r'<article class="user">.*?</article>', page, re.DOTALL)
    assert len(users) == 6
    for user in users:
        (name,) = re.findall(r"<h3>User (.*?)</h3>", user)
        hybrid = user.split('<h4 class="hybrid">')[1]
        shown = re.findall(r'<span class="title">(?:<span .*?</span>)?(.*?)</span>', hybrid)
        published = lists[lists["user_id"] == name].sort_values("rank")["item_id"]
        assert shown == [title_of[item] for item in published]


def test_all_checks_are_accounted_for(page: str) -> None:
    last = page.split('id="diagnostics"')[1]
    codes = re.findall(r'<(?:span class="code"|b)>(D\d+)</', last)
    assert sorted(codes) == [f"D{number}" for number in range(1, 10)]


def test_the_same_bytes_under_other_conditions(copied: Clone, page: str) -> None:
    copied.set_params({"threads": 2})
    copied.run("env", "LC_ALL=C", "PYTHONHASHSEED=7", sys.executable, "stages/report.py")
    assert (copied.folder / PAGE).read_text(encoding="utf-8") == page


needs_browser = pytest.mark.skipif(
    browser.executable() is None, reason="no Chromium is installed (Debian: chromium)"
)


@needs_browser
@pytest.mark.parametrize(
    ("width", "look", "media"),
    [(390, "light", ""), (1280, "light", ""), (1280, "dark", ""), (800, "dark", "print")],
)
def test_a_browser_shows_it_quietly(clone: Clone, width: int, look: str, media: str) -> None:
    """No message, no request but for the file, nothing to scroll sideways; paper is white."""
    path = clone.folder / PAGE
    with Browser() as chromium:
        seen = chromium.open(path, width, look, media)
        assert seen.messages == []
        assert seen.requests == [path.resolve().as_uri()]
        assert chromium.value("performance.getEntriesByType('resource').length") == 0
        assert chromium.value("document.documentElement.scrollWidth <= innerWidth")
        assert chromium.value("document.querySelectorAll('svg').length") > 10
        background = chromium.value("getComputedStyle(document.body).backgroundColor")
        is_dark = look == "dark" and media != "print"
        assert (background != "rgb(255, 255, 255)") == is_dark


@needs_browser
def test_no_label_leaves_its_picture(clone: Clone) -> None:
    """At the left or the right."""
    with Browser() as chromium:
        chromium.open(clone.folder / PAGE, 390)
        outside = chromium.value(
            """[...document.querySelectorAll('svg')].flatMap(svg => {
                 const frame = svg.getBoundingClientRect();
                 return [...svg.querySelectorAll('text')].filter(text => {
                   const box = text.getBoundingClientRect();
                   return box.left < frame.left - 2 || box.right > frame.right + 2;
                 }).map(text => text.textContent);
               })"""
        )
    assert outside == []
