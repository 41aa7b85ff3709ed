"""The whole pipeline under the real DVC, on a small data set in a temporary clone.

What is right is computed here from the raw files, by plain code that shares nothing with stages/.
"""

import contextlib
import functools
import json
import math
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from core import process

import numpy as np
import pandas as pd
import psutil
import pytest

import movielens_like
from clone import FOLDS, SMALL, Clone, wait_until

N_WINDOWS = SMALL["split.windows"]
TARGET = {fold: N_WINDOWS - behind for behind, fold in enumerate(FOLDS, start=1)}
KINDS = {kind: [fold for fold in FOLDS if fold.startswith(kind)] for kind in ("test", "validation")}
JUDGED = [fold for folds in KINDS.values() for fold in folds]
FIVE = ["map@10", "ndcg@10", "recall@10", "hit_rate@10", "coverage@10"]
BASELINES = ["popular", "recent_popular", "item_knn", "ease", "content"]
CONTRACT = [
    *("n_lists", "n_users", "n_cold_users", "n_items", "hybrid.seed_sd"),
    *("notebook.als_map@10", "notebook.hybrid_map@10"),
    *(f"candidates.{key}" for key in ("size", "reachable", "recall", "als_recall@100")),
    "candidates.oracle_map@10",
    *(f"uplift.{key}" for key in ("map@10", "relative", "ci95_low", "ci95_high", "p_value")),
    "uplift.min_detectable",
    *(f"{model}.{key}" for model in ("als", "hybrid") for key in FIVE),
]
equal = functools.partial(pytest.approx, abs=1e-9)
each_kind = pytest.mark.parametrize("kind", KINDS)

Lists = dict[str, list[str]]  # user_id -> item_ids, best first


@dataclass(frozen=True)
class Truth:
    """What the raw files say of a fold.

    served    users with any rating in the target window
    relevant  user_id -> items liked in the target window and not rated before, for those with any
    exposed   user_id -> items rated in the history
    cold      users of `relevant` who liked nothing in the history; warm: the others
    items     items rated in the history
    """

    served: set[str]
    relevant: dict[str, set[str]]
    exposed: dict[str, set[str]]
    cold: set[str]
    warm: set[str]
    items: set[str]


@functools.cache
def ratings_in_time(data: Path) -> pd.DataFrame:
    """Return the ratings by timestamp, equal ones in file order, with their window."""
    ratings = movielens_like.read_ratings(data / "ml-1m.inter")
    ratings = ratings.sort_values("timestamp", kind="stable").reset_index(drop=True)
    for window, rows in enumerate(np.array_split(np.arange(len(ratings)), N_WINDOWS)):
        ratings.loc[rows, "window"] = window
    return ratings


@functools.cache
def truth_of(data: Path, fold: str) -> Truth:
    """Return what the raw files say of a fold."""
    ratings = ratings_in_time(data)
    exposed, relevant = defaultdict(set), defaultdict(set)
    liked, served, items = set(), set(), set()
    for row in ratings[ratings["window"] < TARGET[fold]].itertuples():
        exposed[row.user_id].add(row.item_id)
        items.add(row.item_id)
        if row.rating >= 4:
            liked.add(row.user_id)
    for row in ratings[ratings["window"] == TARGET[fold]].itertuples():
        served.add(row.user_id)
        if row.rating >= 4 and row.item_id not in exposed[row.user_id]:
            relevant[row.user_id].add(row.item_id)
    cold, warm = relevant.keys() - liked, relevant.keys() & liked
    return Truth(served, dict(relevant), dict(exposed), cold, warm, items)


def average_precision(items: list[str], relevant: set[str]) -> tuple[float, int]:
    """Return the sum of the precisions at the hits of the first 10, and the number of hits."""
    total, n_hits = 0.0, 0
    for rank, item in enumerate(items[:10], start=1):
        if item in relevant:
            n_hits += 1
            total += n_hits / rank
    return total, n_hits


def metrics_of(
    lists: list[Lists], truths: list[Truth], judged: list[set[str]] | None = None
) -> dict[str, float]:
    """Return FIVE over all lists, or those of the judged users, of some folds."""
    sums, n_lists, coverage = dict.fromkeys(FIVE[:4], 0.0), 0, 0.0
    for number, (of_fold, truth) in enumerate(zip(lists, truths, strict=True)):
        users = truth.relevant if judged is None else judged[number]
        n_lists += len(users)
        for user in users:
            items, relevant = of_fold.get(user, []), truth.relevant[user]
            best = min(10, len(relevant))
            total, n_hits = average_precision(items, relevant)
            gain = sum(1 / math.log2(r + 1) for r, item in enumerate(items, 1) if item in relevant)
            sums["map@10"] += total / best
            sums["ndcg@10"] += gain / sum(1 / math.log2(rank + 1) for rank in range(1, best + 1))
            sums["recall@10"] += n_hits / len(relevant)
            sums["hit_rate@10"] += n_hits > 0
        of_whom = of_fold if judged is None else users
        shown = {item for user in of_whom for item in of_fold.get(user, [])}
        coverage += len(shown) / len(truth.items) / len(truths)
    return {key: value / n_lists for key, value in sums.items()} | {"coverage@10": coverage}


def notebook_map(lists: list[Lists], truths: list[Truth]) -> float:
    """Return MAP by the notebook's formula: divided by the hits, not by what there was to hit."""
    values = [
        average_precision(of_fold.get(user, []), truth.relevant[user])
        for of_fold, truth in zip(lists, truths, strict=True)
        for user in truth.relevant
    ]
    return sum(total / max(1, n_hits) for total, n_hits in values) / len(values)


def frame_of(clone: Clone, name: str, fold: str) -> pd.DataFrame:
    """Return a table of a fold, with ids in place of rows of users.parquet and items.parquet."""
    frame = pd.read_parquet(clone.folder / f"data/{name}/{fold}.parquet")
    for of in {"user", "item"} & {*frame.columns}:
        ids = pd.read_parquet(clone.folder / f"data/tables/{of}s.parquet")[f"{of}_id"].to_numpy()
        frame[f"{of}_id"] = ids[frame[of]]
    return frame


def lists_of(frame: pd.DataFrame) -> Lists:
    """Return the lists of a frame with user_id, item_id and rank."""
    frame = frame.sort_values(["user_id", "rank"])
    return frame.groupby("user_id")["item_id"].agg(list).to_dict()


def als_lists(clone: Clone, fold: str) -> Lists:
    """Return the first ten of ALS; a cold user's list has no source and is served as it is."""
    frame = frame_of(clone, "candidates", fold)
    is_cold = (frame.filter(regex="_rank$") == 0).all(axis=1)
    frame["rank"] = frame["als_rank"].where(~is_cold, frame.groupby("user_id").cumcount() + 1)
    return lists_of(frame[frame["rank"].between(1, 10)])


def settings_of(clone: Clone) -> pd.DataFrame:
    return pd.read_csv(clone.folder / "data/baselines/settings.csv")


def baseline_lists(clone: Clone, fold: str, name: str) -> Lists:
    """Return the lists of a baseline, with the setting that is best on validation."""
    settings = settings_of(clone)
    best = settings[settings["is_best"] & (settings["model"] == name)]["number"].item()
    frame = frame_of(clone, "baselines", fold)
    return lists_of(frame[(frame["model"] == name) & (frame["number"] == best)])


def metrics(clone: Clone, name: str) -> dict:
    return json.loads((clone.folder / f"metrics/{name}.json").read_text())


# --- what a run leaves behind


@each_kind
def test_names_of_metrics(clone: Clone, kind: str) -> None:
    """The names are those of the contract. map.json repeats some; it is DVC's only metrics file."""
    tree, baselines = metrics(clone, kind), metrics(clone, "baselines")[kind]
    values = [functools.reduce(dict.__getitem__, key.split("."), tree) for key in CONTRACT]
    assert all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    gain = tree["hybrid"]["map@10"] - tree["als"]["map@10"]
    assert tree["uplift"]["map@10"] == equal(gain)
    assert {name: {*five} for name, five in baselines.items()} == dict.fromkeys(BASELINES, {*FIVE})
    screen = metrics(clone, "map")
    assert list(screen) == ["validation", "test"]
    assert screen[kind] == {
        "als": tree["als"]["map@10"],
        "hybrid": tree["hybrid"]["map@10"],
        "best_baseline": max(of["map@10"] for of in baselines.values()),
        "gain": tree["uplift"]["map@10"],
        "gain_low": tree["uplift"]["ci95_low"],
        "gain_high": tree["uplift"]["ci95_high"],
        "ceiling": tree["candidates"]["oracle_map@10"],
    }
    shown = json.loads(clone.dvc("metrics", "show", "--json").stdout)
    assert [*shown[""]["data"]] == ["metrics/map.json"]


def check_lists(lists: pd.DataFrame, seen: dict[str, set[str]], n_items: int) -> None:
    """Ten of n_items, or all that a user has not seen, without repeats, the best first."""
    assert list(lists.columns) == ["user_id", "item_id", "rank", "score"]
    for user, rows in lists.groupby("user_id", sort=False):
        own = seen.get(user, set())
        assert rows["rank"].tolist() == list(range(1, 1 + min(10, n_items - len(own))))
        assert rows["item_id"].is_unique
        assert not {*rows["item_id"]} & own
        assert rows["score"].is_monotonic_decreasing


@pytest.mark.parametrize("fold", JUDGED)
def test_recommendations(clone: Clone, fold: str) -> None:
    lists, truth = frame_of(clone, "recommendations", fold), truth_of(clone.data, fold)
    assert {*lists["user_id"]} == truth.served
    check_lists(lists, truth.exposed, len(truth.items))


def five_of(tree: dict[str, float]) -> dict[str, float]:
    return {name: tree[name] for name in FIVE}


@each_kind
def test_pooled_metrics_agree_with_other_code(clone: Clone, kind: str) -> None:
    tree = metrics(clone, kind)
    truths = [truth_of(clone.data, fold) for fold in KINDS[kind]]
    hybrid = [lists_of(frame_of(clone, "recommendations", fold)) for fold in KINDS[kind]]
    als = [als_lists(clone, fold) for fold in KINDS[kind]]
    assert tree["n_lists"] == sum(len(truth.relevant) for truth in truths)
    assert tree["n_users"] == len({user for truth in truths for user in truth.relevant})
    assert tree["n_users"] < tree["n_lists"]  # some are in both windows
    assert tree["n_cold_users"] == sum(len(truth.cold) for truth in truths)
    assert tree["n_items"] == len(truths[0].items)
    for model, lists in (("als", als), ("hybrid", hybrid)):
        assert five_of(tree[model]) == equal(metrics_of(lists, truths))
    assert tree["notebook"] == equal(
        {"als_map@10": notebook_map(als, truths), "hybrid_map@10": notebook_map(hybrid, truths)}
    )
    for name in ("warm", "cold"):
        users = [getattr(truth, name) for truth in truths]
        assert tree[name]["n_lists"] == sum(map(len, users))
        for model, lists in (("als", als), ("hybrid", hybrid)):
            assert five_of(tree[name][model]) == equal(metrics_of(lists, truths, users))
    frames = [frame_of(clone, "recommendations/halves", fold) for fold in KINDS[kind]]
    of_folds = []  # with two models, each is a half
    for frame, truth in zip(frames, truths, strict=True):
        halves = [lists_of(frame[frame["number"] == number]) for number in (0, 1)]
        one, other = (metrics_of([lists], [truth])["map@10"] for lists in halves)
        of_folds.append(len(truth.relevant) * (one - other) / math.sqrt(2) / math.sqrt(2))
    expected = math.hypot(*of_folds) / tree["n_lists"]  # of means of two
    assert tree["hybrid"]["seed_sd"] == equal(expected)


@each_kind
def test_baselines_agree_with_other_code(clone: Clone, kind: str) -> None:
    truths = [truth_of(clone.data, fold) for fold in KINDS[kind]]
    for name in BASELINES:
        lists = [baseline_lists(clone, fold, name) for fold in KINDS[kind]]
        assert [set(of_fold) for of_fold in lists] == [truth.served for truth in truths]
        assert metrics(clone, "baselines")[kind][name] == equal(metrics_of(lists, truths))


def test_the_best_setting_on_validation_is_used(clone: Clone) -> None:
    """All combinations are evaluated on validation folds, and only the best one on test folds."""
    settings = settings_of(clone)
    best, maps = settings[settings["is_best"]], settings.groupby("model")["map"]
    for name, five in metrics(clone, "baselines")["validation"].items():
        assert best.set_index("model")["map"][name] == equal(five["map@10"])
    assert best.set_index("model")["map"].to_dict() == maps.max().to_dict()
    assert maps.size()["ease"] == len(clone.yaml("params.yaml")["baselines"]["ease"]["l2"])
    shown = metrics(clone, "baselines")["parameters"]
    assert shown == {row.model: json.loads(row.parameters) for row in best.itertuples()}
    for fold in KINDS["test"]:
        used = frame_of(clone, "baselines", fold)[["model", "number"]].drop_duplicates()
        assert sorted(used.values.tolist()) == sorted(best[["model", "number"]].values.tolist())


@each_kind
def test_candidates_agree_with_other_code(clone: Clone, kind: str) -> None:
    expected = {"size": [], "reachable": [], "recall": [], "oracle_map@10": []}
    for fold in KINDS[kind]:
        truth = truth_of(clone.data, fold)
        frame = frame_of(clone, "candidates", fold)
        lists = frame.groupby("user_id")["item_id"].agg(list).to_dict()
        for user, relevant in truth.relevant.items():
            n_found = len(relevant & set(lists[user]))
            expected["size"].append(len(lists[user]))
            expected["reachable"].append(len(relevant & truth.items) / len(relevant))
            expected["recall"].append(n_found / len(relevant))
            expected["oracle_map@10"].append(min(10, n_found) / min(10, len(relevant)))
    for key, values in expected.items():
        assert metrics(clone, kind)["candidates"][key] == equal(sum(values) / len(values))


def test_windows_side_by_side(clone: Clone) -> None:
    """A row per judged fold, the oldest first; the pooled figures are their weighted means."""
    frame = pd.read_csv(clone.folder / "metrics/windows.csv")
    assert frame["fold"].tolist() == [fold for fold in reversed(FOLDS) if fold in JUDGED]
    assert frame["window"].tolist() == [TARGET[fold] for fold in frame["fold"]]
    for kind, folds in KINDS.items():
        own, tree = frame[frame["fold"].isin(folds)], metrics(clone, kind)
        maps = {name: of["map@10"] for name, of in metrics(clone, "baselines")[kind].items()}
        maps |= {"gain": tree["uplift"]["map@10"], "hybrid": tree["hybrid"]["map@10"]}
        for name, value in maps.items():
            assert np.average(own[name], weights=own["n_lists"]) == equal(value)
        assert ((own["gain_low"] < own["gain"]) & (own["gain"] < own["gain_high"])).all()


# --- the same bytes

OUTS = Path(__file__).with_name("outs.json")


def test_every_out_has_the_committed_bytes(clone: Clone, request: pytest.FixtureRequest) -> None:
    """They were computed on another machine. `pytest --write-outs` accepts new bytes."""
    if process.kernel_note():
        pytest.skip(f"the bytes are promised under the kernel {process.PROMISED_KERNEL} alone")
    if request.config.getoption("--write-outs"):
        OUTS.write_text(json.dumps(clone.outs(), indent=2) + "\n")
    assert clone.outs() == json.loads(OUTS.read_text())


# --- running again


def test_second_run_has_nothing_to_do(clone: Clone) -> None:
    assert "Data and pipelines are up to date." in clone.dvc("repro").stdout
    assert not clone.run("git", "status", "--porcelain").stdout


# --- experiments


def changed(clone: Clone) -> set[str]:
    """Return the stages whose parameters or files differ from those of their last run."""
    return {name for name in json.loads(clone.dvc("status", "--json").stdout) if "/" not in name}


def test_a_parameter_concerns_the_stages_that_read_it(copied: Clone) -> None:
    for key, value, stages in (
        ("als.factors", 4, {"als"}),
        ("features.smoothing", 5.0, {"features"}),
        ("ranker.num_leaves", 7, {"ranker"}),
        ("evaluate.k", 9, {"recommend", "baselines", "evaluate", "report"}),
    ):
        copied.set_params({key: value})
        assert changed(copied) == stages
        copied.run("git", "checkout", "--quiet", "params.yaml")


def test_fewer_folds_leave_no_files_and_a_checkout_restores_all(
    clone: Clone, copied: Clone
) -> None:
    kept = ["test", "validation", "label_1"]
    copied.set_params({"folds": kept})
    copied.dvc("repro", "features")
    made = {Path(path) for path in copied.content("data/als", "data/candidates", "data/features")}
    assert {path.stem for path in made} == {*kept, "features"}
    assert not list((copied.folder / "data/features").glob("test*"))  # nothing is trained on it
    copied.run("git", "checkout", "--quiet", "HEAD", "params.yaml", "dvc.lock")
    copied.dvc("checkout")
    assert copied.content("data") == clone.content("data")


# --- bad parameters


def test_bad_parameter_is_one_line_and_metrics_stand(clone: Clone, copied: Clone) -> None:
    result = copied.dvc("exp", "run", "-S", "+als.factor=64", is_checked=False)
    assert result.returncode != 0
    assert "Traceback" not in result.stdout
    assert result.stdout.count("params.yaml: als.factor") == 1, result.stdout
    assert copied.content("metrics") == clone.content("metrics")


# --- faults


def kill_during(copied: Clone, stage: str, *, with_stage: bool, delay_s: float | None) -> None:
    """Run one stage under DVC and kill DVC, delay_s after the stage has begun to load its libraries
    (by then it has a second thread), or for None as soon as it is there, and the stage too if
    asked. Return when both are gone.
    """
    n_threads = 0 if delay_s is None else 1
    dvc = copied.start("-m", "dvc", "repro", "--force", "--single-item", stage)
    try:
        wait_until(lambda: any(one.num_threads() > n_threads for one in copied.processes(stage)))
        time.sleep(delay_s or 0)
        for left in copied.processes(stage) if with_stage else []:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
    finally:
        dvc.kill()
        dvc.wait()
    wait_until(lambda: not copied.processes(stage))


def test_killed_dvc_takes_its_stage_along(
    clone: Clone, copied: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the stage could overwrite outputs of a later run. DVC is killed before the stage
    can look for its parent, while the stage imports libraries, and during long work; or both are
    killed, as by a power cut. Some shells stay between DVC and the stage (dash), others replace
    themselves (bash).
    """
    copied.set_params({"als.factors": 256, "als.iterations": 1000})
    for shell, with_stage, delay_s in (
        ("/bin/bash", False, 0),
        ("/bin/sh", False, None),
        ("/bin/sh", False, 1),
        ("/bin/sh", True, 1),
    ):
        monkeypatch.setenv("SHELL", shell)
        kill_during(copied, "als", with_stage=with_stage, delay_s=delay_s)
        assert not list(copied.folder.glob("data/als/*.npz"))
    copied.run("git", "checkout", "--", "params.yaml")
    copied.dvc("repro", "als")
    assert copied.content("dvc.lock", "data/als") == clone.content("dvc.lock", "data/als")
