"""A list for every user of the log, by models of the whole log."""

import json
from contextlib import chdir
from pathlib import Path

from core.script import InputError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import submit
from clone import Clone
from logs import run_mains
from test_pipeline import N_WINDOWS, check_lists, ratings_in_time
from test_serve import COLUMNS, check_equal, serve_in

LISTS = "data/everyone/recommendations.parquet"
INTERACTIONS = "data/split/interactions.parquet"


def lists_of(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / LISTS)


def test_every_user_has_ten_items_that_are_new(clone: Clone) -> None:
    ratings, lists = ratings_in_time(clone.data), lists_of(clone.folder)
    seen = ratings.groupby("user_id")["item_id"].agg(set).to_dict()
    assert {*lists["user_id"]} == seen.keys()
    check_lists(lists, seen, ratings["item_id"].nunique())


def test_everyone_gets_what_a_fold_after_the_log_would_get(clone: Clone, copied: Clone) -> None:
    """Without its last window, everyone's lists are those of the fold test, with two threads."""
    folder = copied.folder / "data"
    table = pq.read_table(copied.folder / INTERACTIONS)
    known = table.filter(pc.less(table["window"], N_WINDOWS - 1))
    pq.write_table(known, copied.folder / INTERACTIONS)
    folds = json.loads((folder / "split/folds.json").read_text())
    earlier = dict(zip(folds, [*folds.values()][1:], strict=False))  # test is what test_2 was
    (folder / "split/folds.json").write_text(json.dumps(earlier))
    (folder / "candidates/test_2.parquet").replace(folder / "candidates/test.parquet")
    (folder / "features/validation.parquet").replace(folder / "features/test_2.parquet")
    copied.set_params({"threads": 2})
    run_mains(copied.folder, "everyone")

    for ours, theirs in (("everyone/als.npz", "als/test.npz"), ("everyone/ranker", "ranker/test")):
        found = copied.content(f"data/{ours}").values()
        assert list(found) == list(clone.content(f"data/{theirs}").values())
    lists = pd.read_parquet(clone.folder / "data/recommendations/test.parquet")
    found = lists_of(copied.folder)
    both = {*lists["user_id"]} & {*found["user_id"]}
    assert len(both) > 100
    check_equal(*(frame[frame["user_id"].isin(both)] for frame in (found, lists)))


def test_a_user_without_a_positive_gets_recent_popular_items(copied: Clone) -> None:
    """They are among the 30 with most positives in the last two windows. serve.py agrees."""
    path, ratings = copied.folder / INTERACTIONS, ratings_in_time(copied.data)
    cold = sorted(ratings["user_id"].unique())[3]
    rows = pd.read_parquet(path)
    rows.loc[rows["user"] == 3, ["is_positive", "strength"]] = [False, 0]
    schema = pq.read_schema(path)
    pq.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False), path)
    run_mains(copied.folder, "everyone")

    given = ratings[ratings["user_id"] == cold][COLUMNS].assign(rating=1)
    liked = ratings[(ratings["rating"] >= 4) & (ratings["user_id"] != cold)]
    liked = liked.drop_duplicates(["user_id", "item_id"])
    is_counted = (liked["window"] >= N_WINDOWS - 2) & ~liked["item_id"].isin(given["item_id"])
    n_positives = liked["item_id"][is_counted].value_counts()
    lists = lists_of(copied.folder)
    own = lists[lists["user_id"] == cold]
    assert (n_positives > n_positives[own["item_id"]].min()).sum() < 30
    assert lists["user_id"].nunique() == ratings["user_id"].nunique()
    check_equal(serve_in(copied.folder, given, "--models", "everyone"), own)


def test_only_the_items_of_a_file_are_recommended(
    copied: Clone, capsys: pytest.CaptureFixture
) -> None:
    """All ten of them, where a user has not seen too many; to cold users too, and by serve.py."""
    ratings = ratings_in_time(copied.data)
    allowed = sorted(ratings["item_id"].unique())[::12]
    path = copied.folder / "shop.csv"
    pd.DataFrame({"price": 1, "item_id": [*allowed, "no such film"]}).to_csv(path, index=False)
    copied.set_params({"everyone.items": "shop.csv"})
    copied.dvc("repro", "stages/everyone/dvc.yaml")

    lists = lists_of(copied.folder)
    n_items = lists.groupby("user_id").size()
    for user, seen in ratings.groupby("user_id")["item_id"].agg(set).items():
        assert n_items.get(user, 0) == min(10, len({*allowed} - seen))
        assert set(lists["item_id"][lists["user_id"] == user]) <= {*allowed} - seen
    given = ratings[COLUMNS].reset_index(drop=True)
    options = "--models", "everyone", "--items", str(path)
    check_equal(serve_in(copied.folder, given, *options), lists)
    n, n_none = len(allowed), given["user_id"].nunique() - len(n_items)
    n_short = np.count_nonzero(n_items < 10) + n_none
    said = capsys.readouterr().out
    assert f"shop.csv: {n} of {n + 1} items can be recommended; 1 are not in data/tables" in said
    assert n_short > 0
    assert f"{n_short} users get fewer than 10 items, {n_none} of them none: they have seen" in said
    path.write_text("item_id\nx\n")
    with pytest.raises(InputError, match="shop.csv: 0 of 1 items can be recommended; 1 are not in"):
        serve_in(copied.folder, given, *options)


def test_submission(clone: Clone, copied: Clone, tmp_path: Path) -> None:
    """Lists made with other parameters or interactions are refused."""
    arguments = ["--models", "everyone", "--out", str(tmp_path / "everyone.csv")]
    with chdir(clone.folder):
        submit.main(arguments)
    check_equal(pd.read_csv(arguments[-1]), lists_of(clone.folder)[["user_id", "item_id"]])
    log = copied.folder / "data/split/interactions.parquet"
    pd.read_parquet(log).iloc[1:].to_parquet(log)
    copied.set_params({"als.factors": 5})
    with chdir(copied.folder), pytest.raises(InputError) as error:
        submit.main(arguments)
    assert "made with other values of als, data/split/interactions.parquet; run" in str(error.value)
