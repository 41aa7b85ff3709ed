"""The page of a run: whole, alone, the same bytes, and quiet in a real browser."""

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from clone import Clone
from evaluation.bootstrap import Interval
from evaluation.pictures import interval_text

PAGE = "metrics/report.html"


@pytest.fixture(scope="module")
def page(clone: Clone) -> str:
    return (clone.folder / PAGE).read_text(encoding="utf-8")


def test_it_is_one_small_file_that_loads_nothing(page: str) -> None:
    """Every link points to a place on the page, and every picture has its own title."""
    assert len(page.encode()) < 1_000_000
    for what in ("http", "<script", "<img", "<iframe", "@import"):
        assert what not in page
    assert set(re.findall(r"url\((.)", page)) <= {"#"}
    assert re.findall(r'<link [^>]*href="([^"]*)"', page) == ["data:,"]
    links = re.findall(r'<a [^>]*href="#([^"]*)"', page)
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(links) == len(re.findall("<a ", page)) > 5
    assert set(links) <= set(ids)
    assert len(ids) == len(set(ids))
    pictures = re.findall(r"<svg\b.*?</svg>", page, re.DOTALL)
    titles = [re.search(r"<title>(.+?)</title>", picture)[1] for picture in pictures]
    assert len(titles) == len(set(titles)) > 10


@pytest.mark.parametrize("kind", ["validation", "test"])
def test_verdict_and_models_are_those_of_the_metrics(clone: Clone, page: str, kind: str) -> None:
    of = json.loads((clone.folder / f"metrics/{kind}.json").read_text())
    gain = of["uplift"]
    interval = Interval(gain["map@10"], gain["ci95_low"], gain["ci95_high"], 0)
    assert (
        f"MAP@10 of the hybrid is {of['hybrid']['map@10']:.3f} and of ALS "
        f"{of['als']['map@10']:.3f}: {interval_text(interval)}, p = {gain['p_value']:.2g}, "
        f"over lists of {of['n_users']:,} users."
    ) in page
    baselines = json.loads((clone.folder / "metrics/baselines.json").read_text())[kind]
    for model in [of["als"], of["hybrid"], *baselines.values()]:
        assert f"<td>{model['map@10']:.4f}</td>" in page


def test_sample_users_have_the_published_lists(clone: Clone, page: str) -> None:
    """Their hybrid lists, by title, in order."""
    lists = pd.read_parquet(clone.folder / "data/recommendations/validation.parquet")
    items = pd.read_parquet(clone.folder / "data/tables/items.parquet")["item_id"]
    titles = pd.read_parquet(clone.folder / "data/tables/item_titles.parquet")["title"]
    title_of = dict(zip(items, titles, strict=True))
    users = re.findall(r'<article class="user">.*?</article>', page, re.DOTALL)
    assert len(users) == 6
    for user in users:
        (name,) = re.findall(r"<h3>User (.*?)</h3>", user)
        hybrid = user.split('<h4 class="hybrid">')[1]
        shown = re.findall(r'<span class="title">(?:<span .*?</span>)?(.*?)</span>', hybrid)
        published = lists[lists["user_id"] == name].sort_values("rank")["item_id"]
        assert shown == [title_of[item] for item in published]


def test_the_same_bytes_under_other_conditions(copied: Clone, page: str) -> None:
    copied.set_params({"threads": 2})
    (copied.folder / "matplotlibrc").write_text("svg.fonttype: path\nfont.size: 30\n")
    copied.run("env", "LC_ALL=C", "PYTHONHASHSEED=7", sys.executable, "stages/report.py")
    assert (copied.folder / PAGE).read_text(encoding="utf-8") == page


BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom")
SEEN = """<script>
var errors = [];
onerror = text => errors.push(text);
onload = () => parent.postMessage(JSON.stringify({
  errors: errors,
  loaded: performance.getEntriesByType("resource").map(entry => entry.name),
  fits: document.documentElement.scrollWidth <= innerWidth,
  background: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(document.body).color,
  labels: [...document.querySelectorAll("#gain-by-window svg text")].map(
    text => getComputedStyle(text).fill),
  outside: [...document.querySelectorAll("svg")].flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")].filter(text => {
      const box = text.getBoundingClientRect();
      return box.left < frame.left - 2 || box.right > frame.right + 2;
    }).map(text => text.textContent);
  })}), "*");
</script>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed (Debian: chromium)")
@pytest.mark.parametrize(("width", "is_dark"), [(390, False), (1280, True)])
def test_a_browser_shows_it_quietly(page: str, width: int, is_dark: bool, tmp_path: Path) -> None:
    """The page is in a frame of that width, and says what it looks like."""
    (tmp_path / "page.html").write_text(page.replace("<head>", f"<head>{SEEN}", 1))
    host = tmp_path / "host.html"
    frame = f"<iframe src=page.html width={width} height=900></iframe>"
    host.write_text(f"{frame}<script>onmessage = of => document.body.append(of.data)</script>")
    look = f"--blink-settings=preferredColorScheme={int(not is_dark)}"
    command = [BROWSER, *FLAGS, look, f"--user-data-dir={tmp_path}/own", host.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    seen = json.loads(html.unescape(re.search(r"{.*}", dom)[0]))
    assert seen["errors"] == seen["loaded"] == seen["outside"] == []
    assert seen["fits"]
    assert (seen["background"] != "rgb(255, 255, 255)") == is_dark
    assert seen["labels"].count(seen["ink"]) > 2
