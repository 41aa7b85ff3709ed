"""The whole pipeline under the real DVC, on a small data set in a temporary clone.

What is right is computed here from the raw files, by plain code that shares nothing with stages/.
"""

import contextlib
import io
import json
import math
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness import process

import numpy as np
import pandas as pd
import psutil
import pytest

import movielens_like
from clone import FOLDS, SMALL, TOP, Clone

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
EXACT = 1e-9

Lists = dict[str, list[str]]  # user_id -> item_ids, best first


@dataclass(frozen=True)
class Truth:
    """What the raw files say of a fold.

    served    users with any rating in the target window
    relevant  user_id -> items liked in the target window and not rated before, for those with any
    exposed   user_id -> items rated in the history
    cold      users of `relevant` who liked nothing in the history
    items     items rated in the history
    """

    served: set[str]
    relevant: dict[str, set[str]]
    exposed: dict[str, set[str]]
    cold: set[str]
    items: set[str]

    @property
    def warm(self) -> set[str]:
        return set(self.relevant) - self.cold


def ratings_in_time(data: Path) -> pd.DataFrame:
    """The ratings by timestamp, equal ones in file order, with their window."""
    ratings = movielens_like.read_ratings(data / "ml-1m.inter")
    ratings = ratings.sort_values("timestamp", kind="stable").reset_index(drop=True)
    for window, rows in enumerate(np.array_split(np.arange(len(ratings)), N_WINDOWS)):
        ratings.loc[rows, "window"] = window
    return ratings


def truth_of(data: Path, fold: str) -> Truth:
    """See Truth."""
    ratings = ratings_in_time(data)
    exposed, relevant, warm, served, items = defaultdict(set), defaultdict(set), set(), set(), set()
    for row in ratings[ratings["window"] < TARGET[fold]].itertuples():
        exposed[row.user_id].add(row.item_id)
        items.add(row.item_id)
        if row.rating >= 4:
            warm.add(row.user_id)
    for row in ratings[ratings["window"] == TARGET[fold]].itertuples():
        served.add(row.user_id)
        if row.rating >= 4 and row.item_id not in exposed[row.user_id]:
            relevant[row.user_id].add(row.item_id)
    return Truth(served, dict(relevant), dict(exposed), set(relevant) - warm, items)


def average_precision(items: list[str], relevant: set[str]) -> tuple[float, int]:
    """The sum of the precisions at the hits of the first 10, and the number of hits."""
    total, n_hits = 0.0, 0
    for rank, item in enumerate(items[:10], start=1):
        if item in relevant:
            n_hits += 1
            total += n_hits / rank
    return total, n_hits


def metrics_of(
    lists: list[Lists], truths: list[Truth], judged: list[set[str]] | None = None
) -> dict[str, float]:
    """The five metrics by the definitions of design.md, pooled over folds; over the judged users of
    each fold alone if given.
    """
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
    """The notebook's formula: divided by the hits, not by what there was to hit."""
    values = [
        average_precision(of_fold.get(user, []), truth.relevant[user])
        for of_fold, truth in zip(lists, truths, strict=True)
        for user in truth.relevant
    ]
    return sum(total / max(1, n_hits) for total, n_hits in values) / len(values)


def lists_of(frame: pd.DataFrame) -> Lists:
    """The lists of a frame with user_id, item_id and rank."""
    frame = frame.sort_values(["user_id", "rank"])
    return frame.groupby("user_id")["item_id"].agg(list).to_dict()


def with_ids(clone: Clone, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns `user` and `item`, rows of users.parquet and items.parquet, turned into ids."""
    ids = {
        name: pd.read_parquet(clone.folder / f"data/{name}s.parquet")[f"{name}_id"].to_numpy()
        for name in ("user", "item")
    }
    return frame.assign(**{f"{name}_id": ids[name][frame[name]] for name in ids})


def als_lists(clone: Clone, fold: str) -> Lists:
    """The first ten of ALS alone; a cold user's list has no source and is served as it stands."""
    frame = with_ids(clone, pd.read_parquet(clone.folder / f"data/candidates/{fold}.parquet"))
    ranks = frame.filter(regex="_rank$")
    is_cold = (ranks == 0).all(axis=1)
    frame["rank"] = frame["als_rank"].where(~is_cold, frame.groupby("user_id").cumcount() + 1)
    return lists_of(frame[frame["rank"].between(1, 10)])


def look_up(tree: dict, dotted: str) -> object:
    """The value under a dotted key."""
    for part in dotted.split("."):
        tree = tree[part]
    return tree


def metrics(clone: Clone, name: str) -> dict:
    return json.loads((clone.folder / f"metrics/{name}.json").read_text())


def exp_table(clone: Clone) -> pd.DataFrame:
    """`dvc exp show`, indexed by the name of the experiment, `workspace` or the branch."""
    frame = pd.read_csv(io.StringIO(clone.dvc("exp", "show", "--csv").stdout))
    return frame.set_index(frame["Experiment"].fillna(frame["rev"]))


def column(frame: pd.DataFrame, ending: str) -> str:
    """The one column for `ending`; DVC puts the file before the key where it is ambiguous."""
    (name,) = [name for name in frame.columns if name == ending or name.endswith(f":{ending}")]
    return name


# --- what a run leaves behind


@pytest.mark.parametrize("kind", KINDS)
def test_contract_names_are_there(clone: Clone, kind: str) -> None:
    tree = metrics(clone, kind)
    values = {key: look_up(tree, key) for key in CONTRACT}
    assert all(isinstance(value, int | float) for value in values.values())
    assert all(math.isfinite(value) for value in values.values())
    assert tree["uplift"]["map@10"] == pytest.approx(
        tree["hybrid"]["map@10"] - tree["als"]["map@10"], abs=EXACT
    )
    baselines = metrics(clone, "baselines")[kind]
    assert {name: sorted(five) for name, five in baselines.items()} == dict.fromkeys(
        BASELINES, sorted(FIVE)
    )


def test_one_screen_of_metrics(clone: Clone) -> None:
    """map.json repeats figures of the other files, and is all that DVC knows as metrics."""
    screen = metrics(clone, "map")
    assert list(screen) == ["validation", "test"]
    for kind, shown in screen.items():
        tree, baselines = metrics(clone, kind), metrics(clone, "baselines")[kind]
        assert shown == {
            "als": tree["als"]["map@10"],
            "hybrid": tree["hybrid"]["map@10"],
            "best_baseline": max(of["map@10"] for of in baselines.values()),
            "gain": tree["uplift"]["map@10"],
            "gain_low": tree["uplift"]["ci95_low"],
            "gain_high": tree["uplift"]["ci95_high"],
            "ceiling": tree["candidates"]["oracle_map@10"],
        }
    assert json.loads(clone.dvc("metrics", "show", "--json").stdout)[""]["data"].keys() == {
        "metrics/map.json"
    }


@pytest.mark.parametrize("fold", JUDGED)
def test_recommendations(clone: Clone, fold: str) -> None:
    """Ten new items, ranked 1 to 10, for everybody with a rating in the window."""
    frame = pd.read_parquet(clone.folder / f"data/recommendations/{fold}.parquet")
    truth = truth_of(clone.data, fold)
    assert list(frame.columns) == ["user_id", "item_id", "rank", "score"]
    assert np.isfinite(frame["score"]).all()
    assert set(frame["user_id"]) == truth.served
    for user, rows in frame.groupby("user_id", sort=False):
        assert list(rows["rank"]) == list(range(1, 11))
        assert rows["item_id"].is_unique
        assert not set(rows["item_id"]) & truth.exposed.get(user, set())
        assert rows["score"].is_monotonic_decreasing


def test_data_has_the_cases_that_matter(clone: Clone) -> None:
    """Warm and cold users, repeated pairs, liked pairs that are not new, equal timestamps."""
    ratings = ratings_in_time(clone.data)
    truths = [truth_of(clone.data, fold) for fold in JUDGED]
    assert any(len(truth.relevant) < len(truth.served) for truth in truths)
    for fold, truth in zip(JUDGED, truths, strict=True):
        assert 0 < len(truth.cold) < len(truth.relevant)
        rows = ratings[(ratings["window"] == TARGET[fold]) & (ratings["rating"] >= 4)]
        assert any(row.item_id in truth.exposed[row.user_id] for row in rows.itertuples())
    edges = [rows.index[0] for _, rows in ratings.groupby("window")][1:]
    assert any(ratings["timestamp"][row - 1] == ratings["timestamp"][row] for row in edges)


def hybrid_lists(clone: Clone, fold: str) -> Lists:
    return lists_of(pd.read_parquet(clone.folder / f"data/recommendations/{fold}.parquet"))


@pytest.mark.parametrize("kind", KINDS)
def test_pooled_metrics_agree_with_other_code(clone: Clone, kind: str) -> None:
    tree = metrics(clone, kind)
    truths = [truth_of(clone.data, fold) for fold in KINDS[kind]]
    hybrid = [hybrid_lists(clone, fold) for fold in KINDS[kind]]
    als = [als_lists(clone, fold) for fold in KINDS[kind]]
    assert tree["n_lists"] == sum(len(truth.relevant) for truth in truths)
    assert tree["n_users"] == len({user for truth in truths for user in truth.relevant})
    assert tree["n_users"] < tree["n_lists"]  # some stand in both windows
    assert tree["n_cold_users"] == sum(len(truth.cold) for truth in truths)
    assert tree["n_items"] == len(truths[0].items)
    seed_sd = tree["hybrid"].pop("seed_sd")
    assert tree["hybrid"] == pytest.approx(metrics_of(hybrid, truths), abs=EXACT)
    assert tree["als"] == pytest.approx(metrics_of(als, truths), abs=EXACT)
    assert tree["notebook"] == pytest.approx(
        {"als_map@10": notebook_map(als, truths), "hybrid_map@10": notebook_map(hybrid, truths)},
        abs=EXACT,
    )
    for name in ("warm", "cold"):
        users = [getattr(truth, name) for truth in truths]
        assert tree[name]["n_lists"] == sum(map(len, users))
        for model, lists in (("als", als), ("hybrid", hybrid)):
            expected = metrics_of(lists, truths, users)
            assert tree[name][model] == pytest.approx(expected, abs=EXACT)
    single = [single_model_lists(clone, fold) for fold in KINDS[kind]]
    of_one = [
        metrics_of([of_fold[number] for of_fold in single], truths)["map@10"] for number in (0, 1)
    ]
    deviation = abs(of_one[0] - of_one[1]) / math.sqrt(2)  # of two values
    assert seed_sd == pytest.approx(deviation / math.sqrt(2), abs=EXACT)


def single_model_lists(clone: Clone, fold: str) -> list[Lists]:
    """What each model of the ranker would recommend alone."""
    frame = pd.read_parquet(clone.folder / f"data/single_models/{fold}.parquet")
    return [lists_of(with_ids(clone, rows)) for _, rows in frame.groupby("number")]


def baseline_lists(clone: Clone, fold: str, name: str) -> Lists:
    """The lists of a baseline, with the setting that is best on validation."""
    settings = pd.read_csv(clone.folder / "data/baselines/settings.csv")
    best = settings[settings["is_best"] & (settings["model"] == name)]["number"].item()
    frame = pd.read_parquet(clone.folder / f"data/baselines/{fold}.parquet")
    rows = frame[(frame["model"] == name) & (frame["number"] == best)]
    return lists_of(with_ids(clone, rows))


@pytest.mark.parametrize("kind", KINDS)
def test_baselines_agree_with_other_code(clone: Clone, kind: str) -> None:
    truths = [truth_of(clone.data, fold) for fold in KINDS[kind]]
    for name in BASELINES:
        lists = [baseline_lists(clone, fold, name) for fold in KINDS[kind]]
        assert [set(of_fold) for of_fold in lists] == [truth.served for truth in truths]
        expected = metrics_of(lists, truths)
        assert metrics(clone, "baselines")[kind][name] == pytest.approx(expected, abs=EXACT)


def test_the_best_setting_on_validation_is_used(clone: Clone) -> None:
    """Every combination is judged on the validation folds; the test folds see the best alone."""
    settings = pd.read_csv(clone.folder / "data/baselines/settings.csv")
    truths = [truth_of(clone.data, fold) for fold in KINDS["validation"]]
    frames = [
        with_ids(clone, pd.read_parquet(clone.folder / f"data/baselines/{fold}.parquet"))
        for fold in KINDS["validation"]
    ]
    for row in settings.itertuples():
        lists = [
            lists_of(frame[(frame["model"] == row.model) & (frame["number"] == row.number)])
            for frame in frames
        ]
        assert row.map == pytest.approx(metrics_of(lists, truths)["map@10"], abs=EXACT)
    for name, rows in settings.groupby("model"):
        best = rows[rows["is_best"]]
        assert best["map"].tolist() == [rows["map"].max()]
        named = metrics(clone, "baselines")["parameters"][name]
        assert named == json.loads(best["parameters"].item())
    ease = settings[settings["model"] == "ease"]
    grid = clone.yaml("params.yaml")["baselines"]["ease"]["l2"]
    assert [json.loads(one)["l2"] for one in ease["parameters"]] == grid
    for fold in KINDS["test"]:
        frame = pd.read_parquet(clone.folder / f"data/baselines/{fold}.parquet")
        used = set(frame[["model", "number"]].itertuples(index=False, name=None))
        best = settings[settings["is_best"]][["model", "number"]]
        assert used == set(best.itertuples(index=False, name=None))


@pytest.mark.parametrize("kind", KINDS)
def test_candidates_agree_with_other_code(clone: Clone, kind: str) -> None:
    """Size, recall and ceiling of the lists, over the judged users of all folds."""
    expected = {"size": [], "reachable": [], "recall": [], "oracle_map@10": []}
    for fold in KINDS[kind]:
        truth = truth_of(clone.data, fold)
        frame = with_ids(clone, pd.read_parquet(clone.folder / f"data/candidates/{fold}.parquet"))
        lists = frame.groupby("user_id")["item_id"].agg(list).to_dict()
        for user, relevant in truth.relevant.items():
            n_found = len(relevant & set(lists[user]))
            expected["size"].append(len(lists[user]))
            expected["reachable"].append(len(relevant & truth.items) / len(relevant))
            expected["recall"].append(n_found / len(relevant))
            expected["oracle_map@10"].append(min(10, n_found) / min(10, len(relevant)))
    for key, values in expected.items():
        got = metrics(clone, kind)["candidates"][key]
        assert got == pytest.approx(sum(values) / len(values), abs=EXACT)


def test_windows_side_by_side(clone: Clone) -> None:
    """A row per judged fold, the oldest first, with the MAP of every model over its own lists."""
    frame = pd.read_csv(clone.folder / "metrics/windows.csv")
    assert frame["fold"].tolist() == [fold for fold in reversed(FOLDS) if fold in JUDGED]
    for row in frame.to_dict("records"):
        fold, truth = row["fold"], truth_of(clone.data, row["fold"])
        assert row["window"] == TARGET[fold]
        assert row["n_lists"] == len(truth.relevant)
        lists = {"als": als_lists(clone, fold), "hybrid": hybrid_lists(clone, fold)}
        lists |= {name: baseline_lists(clone, fold, name) for name in BASELINES}
        for name, of_fold in lists.items():
            expected = metrics_of([of_fold], [truth])["map@10"]
            assert row[name] == pytest.approx(expected, abs=EXACT)
        assert row["gain"] == pytest.approx(row["hybrid"] - row["als"], abs=EXACT)
        assert row["gain_low"] < row["gain"] < row["gain_high"]
        for group in ("warm", "cold"):
            users = getattr(truth, group)
            assert row[f"{group}_n_lists"] == len(users)
            expected = metrics_of([lists["hybrid"]], [truth], [users])["map@10"]
            assert row[f"{group}_hybrid"] == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_is_that_of_a_plain_loop_over_users(clone: Clone, kind: str) -> None:
    """A user is drawn with all lists in all windows, from the per-user files."""
    frames = [
        pd.read_parquet(clone.folder / f"data/per_user/{fold}.parquet") for fold in KINDS[kind]
    ]
    differences = defaultdict(list)
    for frame in frames:
        for row in frame.itertuples():
            differences[row.user_id].append(row.ap_hybrid - row.ap_als)
    rng, users, means = np.random.default_rng(5), list(differences), []
    for _ in range(2000):
        drawn = [
            d for at in rng.integers(len(users), size=len(users)) for d in differences[users[at]]
        ]
        means.append(sum(drawn) / len(drawn))
    uplift = metrics(clone, kind)["uplift"]
    # the standard error of a quantile at 2.5 % is 2.7 standard deviations / root n, of 500 and 2000
    error = 2.7 * np.std(means) * math.sqrt(1 / SMALL["evaluate.n_resamples"] + 1 / 2000)
    assert uplift["ci95_low"] == pytest.approx(np.quantile(means, 0.025), abs=3 * error)
    assert uplift["ci95_high"] == pytest.approx(np.quantile(means, 0.975), abs=3 * error)
    assert uplift["min_detectable"] == pytest.approx(2.8 * np.std(means), rel=0.15)


# --- the same bytes

OUTS = Path(__file__).with_name("outs.json")


def test_every_out_has_the_committed_bytes(clone: Clone, request: pytest.FixtureRequest) -> None:
    """As computed on another machine. `pytest --write-outs` takes over what a change gives."""
    if process.kernel_note():
        pytest.skip(f"the bytes are promised under the kernel {process.PROMISED_KERNEL} alone")
    if request.config.getoption("--write-outs"):
        OUTS.write_text(json.dumps(clone.outs(), indent=2) + "\n")
    assert clone.outs() == json.loads(OUTS.read_text())


# --- cold users


def test_few_lists_of_cold_users_teach_no_ranker(copied: Clone) -> None:
    """Their lists are then served as they are, and the run says so."""
    assert (copied.folder / "data/ranker/test/cold/0.txt").exists()
    copied.set_params({"ranker.cold_min_lists": 100_000})
    lines = copied.run(sys.executable, "stages/ranker.py").stdout.splitlines()
    said = [line for line in lines if "(ranker.cold_min_lists)" in line]
    assert len(said) == len(JUDGED)
    assert not list((copied.folder / "data/ranker").glob("*/cold"))
    assert (copied.folder / "data/ranker/test/0.txt").exists()


# --- running again


def test_second_run_has_nothing_to_do(clone: Clone) -> None:
    assert "Data and pipelines are up to date." in clone.dvc("repro").stdout
    assert not clone.run("git", "status", "--porcelain").stdout


# --- experiments


def changed(clone: Clone) -> set[str]:
    """The stages that have not seen their parameters and files as they are now. They run next, and
    those after them whose files they change.
    """
    return {name for name in json.loads(clone.dvc("status", "--json").stdout) if "/" not in name}


def of_every_fold(stage: str) -> set[str]:
    return {f"{stage}@{fold}" for fold in FOLDS}


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    [
        ("als.factors", 4, of_every_fold("als")),
        ("features.smoothing", 5.0, of_every_fold("features") | {"recommend", "report"}),
        ("ranker.num_leaves", 7, {"ranker"}),
    ],
)
def test_a_parameter_concerns_the_stages_that_read_it(
    copied: Clone, key: str, value: float, stages: set[str]
) -> None:
    """So one of the ranker refits no ALS, and computes no features."""
    copied.set_params({key: value})
    assert changed(copied) == stages


def test_another_label_fold_reuses_the_others(copied: Clone) -> None:
    """And the baselines are judged again, though nothing changes for them."""
    copied.set_params({"folds": [*FOLDS, "label_2"]})
    copied.dvc("repro", "split")
    expected = {f"{stage}@label_2" for stage in ("als", "candidates", "features")}
    expected |= {"ranker", "recommend", "baselines", "evaluate", "report"}
    assert changed(copied) == expected


def test_queue(copied: Clone) -> None:
    """Two queued experiments, run by the queue in folders of its own."""
    for name, leaves in (("few", 3), ("many", 12)):
        copied.dvc("exp", "run", "--queue", "--name", name, "-S", f"ranker.num_leaves={leaves}")
    copied.dvc("exp", "run", "--run-all")  # with --jobs 2 a worker of DVC 3.67 may never end
    status = copied.dvc("queue", "status").stdout
    assert len(re.findall("Success", status)) == 2, status
    table = exp_table(copied)
    assert table.loc[["few", "many"], "ranker.num_leaves"].tolist() == [3, 12]
    shown = table[column(table, "validation.hybrid")]
    assert shown[["main", "few", "many"]].nunique() == 3


# --- bad parameters


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("+als.factor=64", "als.factor"),
        ("evaluate.k=31", "evaluate.k"),  # candidates.per_source is 30
        ("+evaluate.kk=5", "evaluate.kk"),
        ("ranker.label=graded", "ranker"),
    ],
)
def test_bad_parameter_is_one_line_and_metrics_stand(
    clone: Clone, copied: Clone, override: str, key: str
) -> None:
    result = copied.dvc("exp", "run", "-S", override, is_checked=False)
    assert result.returncode != 0
    assert "Traceback" not in result.stdout
    lines = [line for line in result.stdout.splitlines() if f"params.yaml: {key}" in line]
    assert len(lines) == 1, result.stdout
    assert copied.content("metrics") == clone.content("metrics")


def test_by_hand_a_stage_replaces_its_folders_as_dvc_does(clone: Clone, copied: Clone) -> None:
    """What an earlier run left in them, such as models of more seeds, is of no influence."""
    stages = {
        entry["cmd"]: [out["path"] for out in entry["outs"] if out["path"] != "data/raw"]
        for entry in clone.yaml("dvc.lock")["stages"].values()
    }
    folders = {
        path: command
        for command, outs in stages.items()
        for path in outs
        if (copied.folder / path).is_dir()
    }
    assert {"data/ranker", "data/split/folds", "metrics/by_k"} <= folders.keys()
    for path in folders:
        (copied.folder / path / "0.txt").write_text("left")
    for command in dict.fromkeys(folders.values()):
        copied.run(*command.split())
    assert copied.content(*folders) == clone.content(*folders)


def test_parameters_that_change_while_their_stage_runs(clone: Clone, copied: Clone) -> None:
    """By hand, or by an `exp run` that is refused since another one runs: DVC would record the new
    ones for the result of the old ones, and keep it in its run cache.
    """
    script = copied.folder / "stages/als.py"
    reads = "    history, _ = load_fold(fold)\n"
    edits = "    import pathlib\n    file = pathlib.Path('params.yaml')\n"
    edits += "    file.write_text(file.read_text().replace('factors: 8', 'factors: 4'))\n"
    code = script.read_text()
    assert reads in code
    script.write_text(code.replace(reads, reads + edits))
    result = copied.dvc("repro", "als@test", is_checked=False)
    assert result.returncode != 0
    line = "als: params.yaml: als.factors was 8 when it was read, and is 4 now: "
    assert line in result.stdout
    assert copied.content("dvc.lock") == clone.content("dvc.lock")
    assert not (copied.folder / "data/als/test.npz").exists()
    script.write_text(code)
    copied.dvc("repro", "als@test")
    assert np.load(copied.folder / "data/als/test.npz")["item_factors"].shape[1] == 4


@pytest.mark.parametrize("script", ["recommend", "evaluate", "als_alone"])
def test_als_is_not_judged_by_lists_that_end_before_k(
    clone: Clone, copied: Clone, script: str
) -> None:
    """Or the gain over it seems larger than it is."""
    copied.set_params({"candidates.per_source": 30, "evaluate.k": 31})
    result = copied.run(sys.executable, f"stages/{script}.py", is_checked=False)
    assert result.returncode == 1
    assert result.stdout == (
        f"{script}: params.yaml: evaluate.k is 31: must be at most candidates.per_source, which is "
        "30, or the lists of ALS end before k\n"
    )
    assert copied.content("metrics") == clone.content("metrics")


# --- time


def test_a_fold_gives_the_same_lists_whatever_it_is_called(clone: Clone, copied: Clone) -> None:
    """Where the same windows teach: test_2 and validation become validation and label_1."""
    copied.set_params({"folds": ["test", "validation", "label_1", "label_2", "label_3"]})
    copied.run_stages()
    for name in ("recommendations", "single_models"):
        assert copied.content(f"data/{name}/test.parquet") == clone.content(
            f"data/{name}/test.parquet"
        )
        (lists,) = copied.content(f"data/{name}/validation.parquet").values()
        assert [lists] == [*clone.content(f"data/{name}/test_2.parquet").values()]
    rows, shown = (pd.read_csv(one.folder / "metrics/windows.csv") for one in (copied, clone))
    columns = ["window", "als", "hybrid", "gain", "gain_low", "gain_high"]
    pd.testing.assert_frame_equal(
        rows[columns], shown[shown["fold"].isin(["test", "test_2"])][columns].reset_index(drop=True)
    )


# --- faults


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def running(clone: Clone, script: str) -> list[psutil.Process]:
    """The processes of a stage that run in the clone."""
    found = []
    for candidate in clone.processes():
        with contextlib.suppress(psutil.Error):
            if script in candidate.cmdline():
                found.append(candidate)
    return found


def kill_during(
    copied: Clone, stage: str, script: str, *, with_stage: bool, delay_s: float | None
) -> None:
    """Runs one stage under DVC, kills DVC outright delay_s after the stage has begun to load its
    libraries (by then it has a second thread), or for None as soon as it is there, and the stage
    too if asked; waits until both are gone.
    """
    n_threads = 0 if delay_s is None else 1
    dvc = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "--force", "--single-item", stage],
        cwd=copied.folder,
        env=copied.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_for(
            lambda: any(p.num_threads() > n_threads for p in running(copied, script)), 60
        )
        time.sleep(delay_s or 0)
        for left in running(copied, script) if with_stage else []:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
    finally:
        dvc.kill()
        dvc.wait()
    assert wait_for(lambda: not running(copied, script), 60)


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])
def test_killed_dvc_takes_its_stage_along(
    clone: Clone, copied: Clone, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the stage could overwrite what a later run has made. DVC is killed once before the stage
    can look who started it, once while it still imports its libraries, once at work that takes
    long. Some shells stay between DVC and the
    stage (dash), some replace themselves by it (bash).
    """
    monkeypatch.setenv("SHELL", shell)
    copied.set_params({"als.factors": 256, "als.iterations": 1000})
    for delay_s in (None, 0, 2):
        kill_during(copied, "als@test", "stages/als.py", with_stage=False, delay_s=delay_s)
        assert not (copied.folder / "data/als/test.npz").exists()
    copied.run("git", "checkout", "--", "params.yaml")
    copied.dvc("repro")
    assert copied.content("dvc.lock", "metrics") == clone.content("dvc.lock", "metrics")


MENDED_BY = {  # what stages/README.md says
    "rm .dvc/tmp/rwlock": (".dvc/tmp/rwlock", None),
    "find data metrics -xtype l -delete": ("data/split", "nowhere"),
}


@pytest.mark.parametrize("command", MENDED_BY)
def test_one_command_mends_what_dvc_cannot(clone: Clone, copied: Clone, command: str) -> None:
    """A lock file that DVC was ended in the middle of, and a folder that is a link to nothing."""
    assert f"`{command}`" in (TOP / "stages/README.md").read_text()
    path, target = (name and copied.folder / name for name in MENDED_BY[command])
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.symlink_to(target) if target else path.touch()
    assert copied.dvc("repro", is_checked=False).returncode != 0
    copied.run(*command.split())
    copied.dvc("repro")
    assert copied.content("dvc.lock", "metrics", "data/split") == clone.content(
        "dvc.lock", "metrics", "data/split"
    )


def test_the_way_back_from_a_failed_experiment(copied: Clone) -> None:
    """Its parameters stay in params.yaml; README.md says how they are taken back."""
    command = "git checkout HEAD params.yaml"
    assert f"`{command}`" in (TOP / "README.md").read_text()
    copied.dvc("exp", "run", "-S", "ranker.num_leaves=-1", is_checked=False)
    assert copied.yaml("params.yaml")["ranker"]["num_leaves"] == -1
    copied.run(*command.split())
    assert "Running stage" not in copied.dvc("repro").stdout  # what it removed is in the cache
    assert not copied.run("git", "status", "--porcelain").stdout


def test_killed_stage_is_repaired(clone: Clone, copied: Clone) -> None:
    """As by a power cut: DVC and the stage die at once."""
    kill_during(copied, "ranker", "stages/ranker.py", with_stage=True, delay_s=1)
    copied.dvc("repro")
    outputs = ("dvc.lock", "metrics", "data/ranker")
    assert copied.content(*outputs) == clone.content(*outputs)
