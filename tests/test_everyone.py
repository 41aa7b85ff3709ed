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
from models import scoring
from rankers import serving
from test_pipeline import N_WINDOWS, ratings_in_time
from test_serve import COLUMNS, check_equal, serve_in

LISTS = "data/everyone/recommendations.parquet"
INTERACTIONS = "data/split/interactions.parquet"


def lists_of(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / LISTS)


def test_every_user_has_ten_items_that_are_new(clone: Clone) -> None:
    """Users of any window; with fewer unseen items, all of them."""
    ratings, lists = ratings_in_time(clone.data), lists_of(clone.folder)
    assert list(lists.columns) == ["user_id", "item_id", "rank", "score"]
    seen = ratings.groupby("user_id")["item_id"].agg(set)
    assert set(lists["user_id"]) == set(seen.index)
    for user, rows in lists.groupby("user_id", sort=False):
        n_items = min(10, ratings["item_id"].nunique() - len(seen[user]))
        assert rows["rank"].tolist() == list(range(1, n_items + 1))
        assert rows["item_id"].is_unique
        assert not set(rows["item_id"]) & seen[user]
        assert rows["score"].is_monotonic_decreasing


def test_everyone_gets_what_a_fold_after_the_log_would_get(clone: Clone, copied: Clone) -> None:
    """For the log without its last window, everyone's lists are those of the fold test. The clone
    used one thread, and this run uses two.
    """
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


def test_a_user_without_a_positive_gets_what_is_popular_in_its_groups(copied: Clone) -> None:
    """The 30 items with most positives in the last two windows, then in all, in the order of
    group_popularity. serve.py agrees.
    """
    cold, path = 3, copied.folder / INTERACTIONS
    user_id, item_id = (
        pd.read_parquet(copied.folder / f"data/tables/{of}s.parquet")[f"{of}_id"]
        for of in ("user", "item")
    )
    rows = pd.read_parquet(path)
    rows.loc[rows["user"] == cold, ["is_positive", "strength"]] = [False, 0]
    schema = pq.read_schema(path)
    pq.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False), path)
    run_mains(copied.folder, "everyone")

    liked = rows[rows["is_positive"]].sort_values("window").drop_duplicates(["user", "item"])
    recent = np.bincount(liked["item"][liked["window"] >= N_WINDOWS - 2], minlength=len(item_id))
    order = np.lexsort((-np.bincount(liked["item"], minlength=len(item_id)), -recent))
    order = order[~np.isin(order, rows["item"][rows["user"] == cold])][:30]
    weight = 2 ** ((liked["window"] - N_WINDOWS + 1) / 3)
    score = np.log1p(np.bincount(liked["item"], weight, minlength=len(item_id)))
    total = np.bincount(liked["item"], minlength=len(item_id))
    columns = pd.read_parquet(copied.folder / "data/tables/users.parquet").drop(columns="user_id")
    for values in (column.to_numpy() for _, column in columns.items()):
        is_own = values[liked["user"]] == values[cold]
        own = np.bincount(liked["item"][is_own], minlength=len(item_id))
        lift = (own + 20 * is_own.mean()) / (total + 20) / is_own.mean()
        score += np.log(lift) / np.sqrt(columns.shape[1])
    expected = item_id[order[np.argsort(-score[order], kind="stable")][:10]].tolist()
    found = lists_of(copied.folder)
    own = found[found["user_id"] == user_id[cold]]
    assert own["item_id"].tolist() == expected
    assert found["user_id"].nunique() == len(user_id)
    ratings = ratings_in_time(copied.data)
    given = ratings[ratings["user_id"] == user_id[cold]][COLUMNS].assign(rating=1)
    check_equal(serve_in(copied.folder, given, "--models", "everyone"), own)


def test_serve_has_the_list_of_a_user_of_the_log(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All users have the same list to the last bit, in blocks of any size."""
    given = ratings_in_time(clone.data)[COLUMNS].reset_index(drop=True)
    monkeypatch.setattr(scoring, "USERS_AT_ONCE", 70)
    monkeypatch.setattr(serving, "ROWS_AT_ONCE", 900)
    check_equal(serve_in(clone.folder, given, "--models", "everyone"), lists_of(clone.folder))


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
