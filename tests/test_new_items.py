"""Items without a history: who may recommend them, from when on, and what it is worth."""

import shutil
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

from core import tables
from core.candidate_lists import Candidates
from core.history import WINDOWS, catalogue
from core.params import Strict
from core.script import InputError

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import serve
import simulator
from clone import SMALL
from histories import arrays_of
from logs import UP_TO_RECOMMEND, run_mains, write_params
from models.model import Inputs
from models.registry import MODELS, fit
from models.scoring import Served, candidate_lists
from plain_models import SETTINGS, inputs_of, random_history

NEW = np.array([1, 4, 100])  # rows of items.parquet that random_history does not have
WEEK, WEEKS = 7 * 86_400, 7
FOLDS = ["test", "validation", "label_1", "label_2"]
PARAMS = {
    **SMALL,
    "folds": FOLDS,
    "data.source": "vk-notebook",
    "data.positive": "timespent > 20",
    "split.windows": WEEKS - 1,
    "candidates.per_source": 40,
    "baselines.item_knn.neighbours": 20,
}


@pytest.mark.parametrize(("name", "params"), SETTINGS)
def test_a_model_scores_new_items_or_does_not_know_of_them(name: str, params: Strict) -> None:
    """A model that does not score them retrieves and scores the others as if there were no new
    ones; the score of a new item is NaN.
    """
    history = random_history(1)
    wide = inputs_of(history.with_items(NEW))
    is_known = wide.history.is_known
    assert wide.history.items[~is_known].tolist() == NEW.tolist()
    items = replace(wide.factors, item_factors=wide.factors.item_factors[is_known])
    wide = replace(wide, factors=items)
    narrow = wide.known
    assert arrays_of(narrow.history) == arrays_of(history)

    def lists_of(inputs: Inputs) -> Candidates:
        own, content = fit(name, params, inputs), MODELS["content"].fit(inputs, None)
        models, fallback = {"own": own, "content": content}, fit("popular", None, inputs)
        served = Served(inputs.history, models, [*models], fallback, 6)
        return candidate_lists(served, history.users, 1)

    found, expected = lists_of(wide), lists_of(narrow)
    is_new = np.isin(found.item, NEW)
    assert (found.rank["content"][is_new] > 0).any()
    assert found.is_retrieved[is_new].all()  # no list of a cold user has one
    if MODELS[name].scores_new_items:
        assert (found.rank["own"][is_new] > 0).any()
        return
    assert not found.rank["own"][is_new].any()
    assert np.isnan(found.score["own"][is_new]).all()
    both = [
        lists.table().to_pandas().query("own_rank > 0").sort_values(["user", "own_rank"])
        for lists in (found, expected)
    ]
    columns = ["user", "item", "own_rank", "own_score"]
    assert both[0][columns].to_numpy().tobytes() == both[1][columns].to_numpy().tobytes()


def test_the_catalogue_of_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All items; or those published at its start or before, never an item of unknown time."""
    monkeypatch.chdir(tmp_path)
    for path in (WINDOWS, tables.PUBLISHED):
        path.parent.mkdir(parents=True)
    pd.DataFrame({"start": [10, 20], "n_days": 1.0}).to_csv(WINDOWS, index=False)
    with pytest.raises(InputError, match="must be none or all, because this data.source does not"):
        catalogue("published", 1)
    np.save(tables.PUBLISHED, [20.0, np.nan, 20.5, -1.0])
    assert catalogue("published", 1).tolist() == [0, 3]
    assert catalogue("published", 0).tolist() == [3]
    tables.write_parquet(tables.ITEMS, pa.table({"item_id": ["a", "b"]}))
    assert catalogue("all", 1).tolist() == [0, 1]
    pd.DataFrame({"start": [10, 20]}).to_csv(WINDOWS, index=False)  # numbers of weeks
    with pytest.raises(InputError, match="candidates.new_items is published: must be none or all"):
        catalogue("published", 1)


# --- the stages


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """A log of equal weeks with times, in the notebook's layout; attrs has its folder. A model
    knows an item from the week after its first row.
    """
    folder = tmp_path_factory.mktemp("log")
    raw = folder / "raw"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulator, "DECAY_WEEKS", 2.5)  # of a week's positives, 40 % are on new items
        simulator.write_notebook(raw, users=400, items=300, rows=30_000, weeks=WEEKS, seed=2)
    parts = []
    for name, first, n_weeks in (("train", 0, WEEKS - 1), ("test", WEEKS - 1, 1)):
        part = pd.read_parquet(raw / f"{name}.parquet")
        part["timestamp"] = WEEK * first + np.arange(len(part)) * WEEK * n_weeks // len(part)
        part.to_parquet(raw / f"{name}.parquet")
        parts.append(part.assign(is_test=name == "test"))
    log = pd.concat(parts)
    log.attrs["folder"] = str(folder)
    return log


@pytest.fixture(scope="module")
def run(log: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that returns the folder of a run up to the baselines. Items are published 11 days
    before their first row, but for those in `others`: item_id -> time.
    """
    first = Path(log.attrs["folder"])
    params = {**PARAMS, "data.path": str(first / "raw")}
    write_params(first, params)
    run_mains(first, "ingest", "split", "als")
    ids = pd.read_parquet(first / tables.ITEMS)["item_id"]
    published = log.groupby("item_id")["timestamp"].min() - 1.5 * WEEK

    def folder_of(name: str, new_items: str, others: dict[int, float], *more: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        shutil.copytree(first / "data", folder / "data")
        np.save(folder / tables.PUBLISHED, [others.get(one, published[one]) for one in ids])
        write_params(folder, {**params, "candidates.new_items": new_items})
        run_mains(folder, *UP_TO_RECOMMEND[3:], "baselines", *more)
        return folder

    return folder_of


@pytest.fixture(scope="module")
def none(run: Callable[..., Path]) -> Path:
    return run("none", "none", {}, "evaluate")


@pytest.fixture(scope="module")
def published(run: Callable[..., Path]) -> Path:
    return run("published", "published", {}, "evaluate")


def relevant_pairs(log: pd.DataFrame) -> pd.DataFrame:
    """The relevant pairs of the test window by a plain count: user_id, item_id, is_new."""
    history, target = log[~log["is_test"]], log[log["is_test"] & (log["timespent"] > 20)]
    seen = set(zip(history["user_id"], history["item_id"], strict=True))
    pairs = set(zip(target["user_id"], target["item_id"], strict=True)) - seen
    frame = pd.DataFrame(sorted(pairs), columns=["user_id", "item_id"])
    return frame.assign(is_new=~frame["item_id"].isin(history["item_id"]))


def recall_of_new(folder: Path, log: pd.DataFrame) -> pd.Series:
    """recall@10 of the new items by user, from the files alone."""
    lists = pd.read_parquet(folder / "data/recommendations/test.parquet")
    pairs = relevant_pairs(log).query("is_new").merge(lists, "left", ["user_id", "item_id"])
    return pairs["rank"].notna().groupby(pairs["user_id"]).mean()


def test_the_shares_are_those_of_a_plain_count(
    log: pd.DataFrame, none: Path, capsys: pytest.CaptureFixture
) -> None:
    share = relevant_pairs(log)["is_new"].mean()
    assert 0.15 < share < 0.4
    for stage in ("split", "evaluate"):
        run_mains(none, stage)
        assert f"does not know: test {share:.1%}, validation " in capsys.readouterr().out
    ages = pd.read_csv(none / "metrics/tables/item_age.csv").set_index(["fold", "age"])
    assert ages.loc[("test", "new"), "share"] == pytest.approx(share)


def test_new_items_are_found(log: pd.DataFrame, none: Path, published: Path) -> None:
    recall = [recall_of_new(folder, log) for folder in (none, published)]
    ages = pd.read_csv(published / "metrics/tables/item_age.csv").set_index(["fold", "age"])
    assert ages.loc[("test", "new"), "recall_hybrid"] == pytest.approx(recall[1].mean())
    assert recall[1].any()
    assert not recall[0].any()
    ap = [pd.read_parquet(folder / "data/per_user/test.parquet") for folder in (none, published)]
    same = ["user_id", "is_cold", "n_relevant", "ap_als"]  # relevant items never change
    assert ap[0][same].equals(ap[1][same])


def test_a_hybrid_that_is_worse_is_said(
    none: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Here it has one item for one user."""
    folder = Path(shutil.copytree(none, tmp_path / "worse"))
    path = folder / "data/recommendations/validation.parquet"
    pd.read_parquet(path).head(1).to_parquet(path)
    run_mains(folder, "evaluate")
    assert "the hybrid is significantly worse than ALS: do not use it" in capsys.readouterr().out


def test_serve_explains_items_that_are_new(
    log: pd.DataFrame, none: Path, capsys: pytest.CaptureFixture
) -> None:
    known = log[~log["is_test"]]
    new = log[~log["item_id"].isin(known["item_id"])].head(1)
    with chdir(none):
        pd.concat([known.head(5), new, new.assign(item_id=1)]).to_parquet("given.parquet")
        serve.main(["given.parquet", "served.parquet"])
    assert "left out: 1 are not in their history" in capsys.readouterr().out


def test_only_content_and_the_hybrid_recommend_new_items(
    log: pd.DataFrame, published: Path
) -> None:
    """All of them published; users served get the same lists from serve.py."""
    known = log[~log["is_test"]]
    with chdir(published):
        ids = pd.read_parquet(tables.ITEMS)["item_id"].to_numpy()
        lists = pd.read_parquet("data/recommendations/test.parquet")
        found = {"hybrid": lists["item_id"]}
        for name, of in pd.read_parquet("data/baselines/test.parquet").groupby("model"):
            found[name] = ids[of["item"]]
        found = {name: set(of) - set(known["item_id"]) for name, of in found.items()}
        assert {name for name, new in found.items() if new} == {"content", "hybrid"}
        assert found["content"] | found["hybrid"] <= {*ids[catalogue("published", WEEKS - 1)]}
        known.to_parquet("given.parquet")
        serve.main(["given.parquet", "served.parquet"])
        both = [pd.read_parquet("served.parquet"), lists]
    users = {*known["user_id"]} & {*lists["user_id"]}
    both = [of[of["user_id"].isin(users)].reset_index(drop=True) for of in both]
    assert len(both[0]) > 1000
    pd.testing.assert_frame_equal(*both, check_exact=True)


def test_an_item_published_later_does_not_exist_before(
    log: pd.DataFrame, run: Callable[..., Path], published: Path
) -> None:
    """The folds before it have the bytes that they have if its time is unknown."""
    moved = sorted(set(log["item_id"]) - set(log["item_id"][~log["is_test"]]))[::2]
    later, unknown = (
        run(name, "published", dict.fromkeys(moved, time))
        for name, time in (("later", WEEK * (WEEKS - 1)), ("unknown", np.nan))
    )
    before = [path for fold in FOLDS[1:] for path in (later / "data").rglob(f"*{fold}*")]
    before += [path for folder in before for path in folder.glob("*")]
    names = {str(path.relative_to(later)) for path in before if path.is_file()}
    assert names >= {f"data/{of}/validation.parquet" for of in ("recommendations", "baselines")}
    for name in names:
        assert (later / name).read_bytes() == (unknown / name).read_bytes(), name
    name = "data/candidates/validation.parquet"  # from where they vanished
    assert (later / name).read_bytes() != (published / name).read_bytes()
    rows = np.flatnonzero(pd.read_parquet(later / tables.ITEMS)["item_id"].isin(moved))
    found = [pd.read_parquet(f / "data/candidates/test.parquet") for f in (later, unknown)]
    assert [np.isin(rows, of["item"]).any() for of in found] == [True, False]
