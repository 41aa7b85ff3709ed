"""New users: who did what those of the history did gets their lists; and what else may come."""

import re
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

from core.history import load_history
from core.params import section
from core.script import InputError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import serve
import simulator
from clone import TOP, Clone
from logs import EVERYTHING, UP_TO_RECOMMEND, run_mains, write_params
from models import scoring
from rankers import serving
from readers import DataParams
from readers.given import read
from test_pipeline import TARGET, ratings_in_time

COLUMNS = ["user_id", "item_id", "rating", "timestamp"]


def serve_in(folder: Path, given: pd.DataFrame | pa.Table, *options: str) -> pd.DataFrame:
    """Run serve.py in this folder on a file of these rows, and return its output."""
    given = given if isinstance(given, pa.Table) else pa.Table.from_pandas(given)
    path, out = (folder.parent / name for name in ("given.parquet", "out.parquet"))
    pq.write_table(given, path)
    with chdir(folder):
        serve.main([str(path), str(out), *options])
    return pd.read_parquet(out)


@pytest.fixture(scope="module")
def history(clone: Clone) -> pd.DataFrame:
    """The interactions that the fold test knows, in time order."""
    ratings = ratings_in_time(clone.data)
    return ratings[ratings["window"] < TARGET["test"]][COLUMNS].reset_index(drop=True)


@pytest.fixture(scope="module")
def lists(clone: Clone) -> pd.DataFrame:
    return pd.read_parquet(clone.folder / "data/recommendations/test.parquet")


def check_equal(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Items, order and the last bit of the scores."""
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True
    )


# --- those of the history


def test_users_of_the_history_get_their_lists(
    clone: Clone,
    history: pd.DataFrame,
    lists: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file has the same columns as the log. Blocks have any size."""
    found = serve_in(clone.folder, history)
    assert set(found["user_id"]) == set(history["user_id"])
    is_known = lists["user_id"].isin(history["user_id"])
    assert lists["user_id"][is_known].nunique() > 100
    check_equal(found[found["user_id"].isin(lists["user_id"])], lists[is_known])
    paths = ("clone/data/recommendations/test.parquet", "out.parquet")
    one, other = (pq.read_schema(clone.folder.parent / path) for path in paths)
    assert one.equals(other)
    monkeypatch.setattr(scoring, "USERS_AT_ONCE", 7)
    monkeypatch.setattr(serving, "ROWS_AT_ONCE", 100)
    check_equal(serve_in(clone.folder, history), found)


def test_a_list_depends_on_nobody_else(
    clone: Clone, history: pd.DataFrame, lists: pd.DataFrame
) -> None:
    """Nor on the order of rows or the unit of times. Ids may be categories."""
    chosen = lists["user_id"].unique()[3:90:29]
    some = history[history["user_id"].isin(chosen)]
    expected = lists[lists["user_id"].isin(set(some["user_id"]))]
    by_user = some.sort_values("user_id", kind="stable", ascending=False)
    others = some.astype({"user_id": "category", "rating": "float32"})
    for given in (some, by_user, others, some.drop(columns="timestamp")):
        check_equal(serve_in(clone.folder, given), expected)
    distinct = some.drop_duplicates(["user_id", "timestamp"])
    turned = distinct.assign(timestamp=distinct["timestamp"] * 1000).iloc[::-1]
    check_equal(*(serve_in(clone.folder, given) for given in (turned, distinct)))


# --- others


def test_a_user_without_a_positive_gets_recent_popular_items(
    clone: Clone, history: pd.DataFrame, capsys: pytest.CaptureFixture
) -> None:
    """They are from the last two windows, also if all items of the user are unknown."""
    disliked = history[history["item_id"].isin(history["item_id"].unique()[:5])]
    disliked = disliked.drop_duplicates("item_id").assign(user_id="cold", rating=1)
    unknown = pd.DataFrame([["lost", "no such film", 5, 1]], columns=COLUMNS)
    found = serve_in(clone.folder, pd.concat([unknown, disliked]))
    said = capsys.readouterr().out
    line = "the models do not know 1 of 6 items; their 1 interactions are left out: 0 are not in"
    assert line in said
    recent = history.tail(len(history) // 3)
    recent = recent[recent["rating"] >= 4].drop_duplicates(["user_id", "item_id"], keep="last")
    for user, seen in (("cold", set(disliked["item_id"])), ("lost", set())):
        own = found[found["user_id"] == user]
        assert (np.diff(own["score"]) <= 0).all()
        assert own["rank"].tolist() == list(range(1, 11))
        n_positives = recent["item_id"].value_counts().drop(list(seen), errors="ignore")
        assert set(own["item_id"]) <= set(n_positives.index[:100])
        assert not seen & set(own["item_id"])


def test_lists_as_csv_and_users_who_have_seen_all(
    clone: Clone, history: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Times as pandas has them are those in seconds."""
    items = pd.read_parquet(clone.folder / "data/tables/items.parquet")["item_id"]
    everything = pd.DataFrame({"user_id": "all", "item_id": items, "rating": 5, "timestamp": 9**10})
    rows = pd.concat([history[history["user_id"] == history["user_id"][0]], everything])
    expected = serve_in(clone.folder, rows)
    assert "all" not in set(expected["user_id"])
    assert "1 users get fewer than 10 items, 1 of them none: " in capsys.readouterr().out
    for unit in ("s", "ms", "us", "ns"):
        times = pd.to_datetime(rows["timestamp"], unit="s").astype(f"datetime64[{unit}]")
        check_equal(serve_in(clone.folder, rows.assign(timestamp=times)), expected)
    rows.to_parquet(tmp_path / "given.parquet")
    with chdir(clone.folder):
        serve.main([str(tmp_path / "given.parquet"), str(tmp_path / "out.csv")])
    found = pd.read_csv(tmp_path / "out.csv").astype({"rank": "int16", "score": "float32"})
    assert found["user_id"].tolist() == expected["user_id"].tolist()
    check_equal(found.drop(columns="user_id"), expected.drop(columns="user_id"))


def test_example_of_the_readme(clone: Clone, tmp_path: Path, history: pd.DataFrame) -> None:
    """The example uses items of the clone, and the printed line is part of the README."""
    text = (TOP / "stages/README.md").read_text(encoding="utf-8")
    code, shell = re.findall(
        r"```\w+\n(.*?)```", text.split("<!-- example: serve -->")[1], re.DOTALL
    )[:2]
    liked = str(history["item_id"].value_counts().index[:4].tolist())
    (tmp_path / "new.py").write_text(re.sub(r"\[.*?\]", lambda _: liked, code))
    subprocess.run([sys.executable, "new.py"], cwd=tmp_path, check=True)
    (command,) = re.findall(r"python stages/serve.py (.*)", shell)
    out = [str(tmp_path / name) for name in command.split()]
    printed = clone.run(sys.executable, "stages/serve.py", *out).stdout
    assert printed in shell
    assert pd.read_parquet(out[1])["user_id"].tolist() == ["me"] * 10


# --- bad input


def error_of(given: pd.DataFrame | pa.Table, folder: Path) -> str:
    """The one line; OUT is as it was."""
    out = folder.parent / "out.parquet"
    out.write_text("untouched")
    with pytest.raises(InputError) as error:
        serve_in(folder, given)
    assert out.read_text() == "untouched"
    assert "\n" not in str(error.value)
    assert not list(folder.parent.glob(".out*"))
    return str(error.value).removeprefix(f"{folder.parent / 'given.parquet'}: ")


GOOD = pd.DataFrame(
    {"user_id": ["a", "a"], "item_id": ["x", "y"], "rating": [5, 4], "timestamp": [1, 2]}
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (GOOD.drop(columns="item_id"), "no column item_id; its columns are user_id, rating, time"),
        (GOOD.drop(columns="rating"), "data.positive is 'rating >= 4': no column rating; the co"),
        (GOOD.assign(timestamp=["soon", "2"]), "row 1: timestamp is 'soon'; must be an ISO date"),
        (GOOD.assign(user_id=[1, 2]), "user_id is int64, in the interactions it is string; must"),
        (GOOD.assign(item_id=[1.5, 2]), "row 1: item_id is 1.5; must be an integer or a string"),
        (GOOD.assign(user_id=["a", None]), "row 2: user_id is None; must be an id"),
        (GOOD.iloc[:0], "no rows"),
        (GOOD, "the models know none of its 2 items: 0 are not in their history"),
    ],
)
def test_a_file_that_is_unfit_is_one_line(clone: Clone, given: pd.DataFrame, expected: str) -> None:
    assert error_of(given, clone.folder).startswith(expected)


def test_other_params_than_those_of_the_models(copied: Clone, history: pd.DataFrame) -> None:
    for change, expected in (
        ({"als.factors": 9}, "data/als/test.npz: of other data, or of other als.factors"),
        ({"als.factors": 8, "candidates.sources": ["als"]}, "data/ranker/test: trained on "),
    ):
        copied.set_params(change)
        line = error_of(history.head(50), copied.folder)
        assert line.startswith(expected)
        assert line.endswith("run dvc repro")


# --- a source with weeks and channels


PARAMS = {
    "folds": ["test", "validation", "label_1"],
    "threads": 1,
    "data.source": "vk-lsvd",
    "data.path": "vk",
    "data.positive": "timespent > 60",
    "als.factors": 8,
    "als.confidence": "strength",
    "als.half_life": 4,
    "sources.ease.half_life": 3,
    "sources.item_knn.half_life": 3,
    "candidates.per_source": 20,
    "ranker.n_estimators": 10,
    "ranker.n_seeds": 2,
    "ranker.min_data_in_leaf": 5,
}


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models of a small log in the layout of VK-LSVD, whose first week is 1."""
    folder = tmp_path_factory.mktemp("weeks") / "top"
    simulator.write_lsvd(folder / "vk", users=60, items=250, rows=4_000, weeks=7)
    (folder / "vk/interactions/train/week_00.parquet").unlink()
    write_params(folder, {**EVERYTHING, **PARAMS, "ranker.train_folds": 2})
    run_mains(folder, *UP_TO_RECOMMEND)
    return folder


def log_of(folder: Path) -> pd.DataFrame:
    """The weeks before the last one, by their numbers, in the source's dtypes."""
    paths = sorted((folder / "vk/interactions").rglob("*.parquet"), key=lambda path: path.name)
    return pd.concat([pd.read_parquet(p).assign(week=int(p.stem[-2:])) for p in paths[:-1]])


def test_users_of_a_log_with_weeks_and_channels(weeks: Path) -> None:
    """Warm and cold ones, with all sources, families, strength and half-lives."""
    log = log_of(weeks)
    lists = pd.read_parquet(weeks / "data/recommendations/test.parquet")
    lists = lists[lists["user_id"].isin(log["user_id"])]
    n_positives = (log["timespent"] > 60).groupby(log["user_id"]).sum()
    is_cold = n_positives[lists["user_id"].unique()] == 0
    assert (is_cold.sum() > 0, (~is_cold).sum() > 30) == (True, True)
    for given in (log, log.drop(columns="week")):
        found = serve_in(weeks, given)
        check_equal(found[found["user_id"].isin(lists["user_id"])], lists)
    line = error_of(log.drop(columns="like"), weeks)
    assert line.startswith("no column like; its columns are user_id, item_id, ")
    line = error_of(log.assign(week=pd.Timestamp("2025-01-31")), weeks)
    assert line.endswith("must be the number in the name of a week's file")


def test_windows_of_new_users(weeks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows without a week, or with a later one, belong to the last window."""
    monkeypatch.chdir(weeks)
    log = log_of(weeks)
    log["user_id"] += 1 + log["user_id"].max()
    data = section("data", DataParams)
    history = load_history("test")

    def windows(rows: pd.DataFrame) -> list[int]:
        pq.write_table(pa.Table.from_pandas(rows), "given.parquet")
        given = read(Path("given.parquet"), data, history, strength=False, channels=False)
        assert (given.known == -1).all()
        return given.columns["window"].tolist()

    by_user = log.sort_values("user_id", kind="stable")
    assert history.n_windows == 5
    assert windows(log) == (by_user["week"] - 1).tolist()
    assert windows(log.assign(week=log["week"] + 3)) == (by_user["week"] + 2).clip(0, 4).tolist()
    assert set(windows(log.drop(columns="week"))) == {4}
