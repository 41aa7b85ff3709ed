"""Fits models of other libraries on the histories of judged folds and writes their top-k lists.

usage: python tests/benchmarks/peers.py [PEER ...] [--folds FOLD ...] [--minutes 30]    (after dvc
       repro; in an environment of requirements-peers.txt), then, in that of requirements.txt:
       python stages/compare.py --lists data/peers/*.csv
       PEER is one of PEERS, all if not given; FOLD all judged folds
in:    data/split/interactions.parquet, data/split/folds.json, data/tables/users.parquet and
       items.parquet, params.yaml (evaluate.k)
out:   data/peers/PEER.csv: fold, user_id, item_id, rank
       data/peers/costs/PEER.csv, a row per fit: peer, fold, setting, map and is_tuning of
       a tuning fit; seconds of processor time and peak memory in MB, of fit and recommendations

Each peer tries its settings, in the order of PEERS, on the earliest validation fold, until it has
spent --minutes of processor time; with 0 it uses the first. The best by MAP@k is used for all
folds. Cold users get recent popular items, as from ALS and the baselines of the pipeline.
"""

import argparse
import json
import multiprocessing
import os
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

TOP = Path(__file__).resolve().parents[2]
OUT = Path("data/peers")
DEPTH = 300  # items that a peer recommends, before seen items are removed
RECENT_WINDOWS = 2
SEED = 42


def rectools_lists(model: Callable, log: pd.DataFrame, users: np.ndarray) -> pd.DataFrame:
    """Return user, item and rank by a model of RecTools."""
    from rectools import Columns
    from rectools.dataset import Dataset

    rows = {Columns.User: log["user"], Columns.Item: log["item"], Columns.Weight: 1.0}
    rows[Columns.Datetime] = pd.to_datetime(np.arange(len(log)), unit="s")  # in the order of rows
    dataset = Dataset.construct(pd.DataFrame(rows))
    fitted = model().fit(dataset)
    lists = fitted.recommend(users, dataset, k=DEPTH, filter_viewed=True)
    return lists.rename(columns={Columns.User: "user", Columns.Item: "item"})


def lenskit_lists(scorer: Callable, log: pd.DataFrame, users: np.ndarray) -> pd.DataFrame:
    """Return user, item and rank by a scorer of LensKit."""
    from lenskit.batch import recommend
    from lenskit.data import from_interactions_df
    from lenskit.pipeline import topn_pipeline

    pipeline = topn_pipeline(scorer(), n=DEPTH)
    columns = {"user": "user_id", "item": "item_id"}
    pipeline.train(from_interactions_df(log[[*columns]].rename(columns=columns)))
    lists = recommend(pipeline, users, n=DEPTH, n_jobs=1).to_df()
    return lists.rename(columns={"user_id": "user", "item_id": "item"})


def bpr(log: pd.DataFrame, users: np.ndarray, **setting: float) -> pd.DataFrame:
    """BPR of implicit."""
    from implicit.bpr import BayesianPersonalizedRanking
    from rectools.models import ImplicitBPRWrapperModel

    def model() -> ImplicitBPRWrapperModel:
        return ImplicitBPRWrapperModel(BayesianPersonalizedRanking(random_state=SEED, **setting))

    return rectools_lists(model, log, users)


def sequence(name: str) -> Callable:
    """SASRec or BERT4Rec of RecTools."""

    def lists(log: pd.DataFrame, users: np.ndarray, **setting: float) -> pd.DataFrame:
        import torch
        from rectools.models import BERT4RecModel, SASRecModel

        torch.manual_seed(SEED)
        kind = {"sasrec": SASRecModel, "bert4rec": BERT4RecModel}[name]
        return rectools_lists(lambda: kind(**setting), log, users)

    return lists


def item_knn(log: pd.DataFrame, users: np.ndarray, **setting: float) -> pd.DataFrame:
    """Item-item nearest neighbours of LensKit."""
    from lenskit.knn import ItemKNNScorer

    return lenskit_lists(lambda: ItemKNNScorer(feedback="implicit", **setting), log, users)


def slim(log: pd.DataFrame, users: np.ndarray, **setting: float) -> pd.DataFrame:
    """SLIM of LensKit."""
    from lenskit.knn import SLIMScorer

    return lenskit_lists(lambda: SLIMScorer(**setting), log, users)


SMALL = {"n_factors": 64, "n_heads": 2, "session_max_len": 50, "lr": 0.001, "dropout_rate": 0.2}
# name -> its function, and its settings; `of`: the interactions that it is fitted on
PEERS = {
    "bpr": (
        bpr,
        [
            {"of": of, "factors": factors, "iterations": iterations}
            for of in ("positives", "exposures")
            for factors, iterations in ((64, 100), (128, 200))
        ],
    ),
    "item_knn": (
        item_knn,
        [
            {"of": of, "max_nbrs": most, "min_nbrs": 2}
            for of in ("positives", "exposures")
            for most in (30, 200)
        ],
    ),
    "slim": (
        slim,
        [
            {"of": of, "l1_reg": l1, "l2_reg": l2}
            for of in ("positives", "exposures")
            for l1, l2 in ((1.0, 1.0), (5.0, 100.0))
        ],
    ),
    "sasrec": (
        sequence("sasrec"),
        [
            {"of": of, "epochs": epochs, **SMALL}
            for of in ("exposures", "positives")
            for epochs in (15, 30)
        ],
    ),
    "bert4rec": (
        sequence("bert4rec"),
        [{"of": of, "epochs": 30, **SMALL} for of in ("exposures", "positives")],
    ),
}


def fold_of(fold: str) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return the history of a fold, its relevant pairs, and all users of its target window."""
    log = pd.read_parquet("data/split/interactions.parquet")
    window = json.loads(Path("data/split/folds.json").read_text())[fold]
    target = log[log["window"] == window]
    relevant = target[target["is_positive"] & ~target["is_repeat"]]
    return log[log["window"] < window], relevant, target["user"].unique()


def top_k(lists: pd.DataFrame, history: pd.DataFrame, users: np.ndarray, k: int) -> pd.DataFrame:
    """Return user, item and rank of the k best unseen items, or of recent popular items."""
    is_recent = history["window"] > history["window"].max() - RECENT_WINDOWS
    counts = history.loc[is_recent & history["is_positive"], "item"].value_counts()
    popular = counts.sort_index().sort_values(ascending=False, kind="stable").index
    warm = history.loc[history["is_positive"], "user"].unique()
    lists = lists[lists["user"].isin(warm)]
    others = np.setdiff1d(users, lists["user"])
    popular = pd.DataFrame({"item": popular, "rank": np.arange(len(popular))})
    lists = pd.concat([lists, pd.DataFrame({"user": others}).merge(popular, how="cross")])
    seen = pd.MultiIndex.from_frame(history[["user", "item"]])
    lists = lists[~pd.MultiIndex.from_frame(lists[["user", "item"]]).isin(seen)]
    lists = lists.sort_values(["user", "rank"])
    lists["rank"] = lists.groupby("user").cumcount() + 1
    return lists.loc[lists["rank"] <= k, ["user", "item", "rank"]]


def mean_ap(lists: pd.DataFrame, relevant: pd.DataFrame, k: int) -> float:
    """Return MAP@k as the pipeline defines it, over the users with a relevant item."""
    hits = lists.merge(relevant[["user", "item"]]).sort_values(["user", "rank"])
    precision = (hits.groupby("user").cumcount() + 1) / hits["rank"]
    n_relevant = relevant.groupby("user").size()
    ap = precision.groupby(hits["user"]).sum() / n_relevant.clip(upper=k)
    return float(ap.reindex(n_relevant.index).fillna(0).mean())


def fit(peer: str, setting: dict, fold: str, k: int) -> tuple[pd.DataFrame, dict]:
    """Return the top k of a peer for a fold and its costs. It runs in a separate process."""
    history, relevant, users = fold_of(fold)
    of = dict(setting)
    log = history if of.pop("of") == "exposures" else history[history["is_positive"]]
    log = log[~log["is_repeat"]]
    lists = PEERS[peer][0](log, np.intersect1d(users, log["user"]), **of)
    top = top_k(lists[["user", "item", "rank"]], history, users, k)
    used = resource.getrusage(resource.RUSAGE_SELF)
    costs = {"seconds": round(used.ru_utime + used.ru_stime, 1), "mb": used.ru_maxrss // 1024}
    return top, {
        "peer": peer,
        "fold": fold,
        "setting": setting,
        **costs,
        "map": mean_ap(top, relevant, k),
    }


def alone(peer: str, setting: dict, fold: str, k: int) -> tuple[pd.DataFrame, dict]:
    """Run fit() in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        top, costs = process.submit(fit, peer, setting, fold, k).result()
    print(f"peers: {costs}", flush=True)
    return top, costs


def main() -> None:
    os.chdir(TOP)
    k = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["evaluate"]["k"]
    judged = [
        of for of in json.loads(Path("data/split/folds.json").read_text()) if "label" not in of
    ]
    parser = argparse.ArgumentParser()
    parser.add_argument("peers", nargs="*", metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--folds", nargs="+", choices=judged, default=judged)
    parser.add_argument("--minutes", type=float, default=30)
    given = parser.parse_args()
    if unknown := {*given.peers} - {*PEERS}:
        parser.error(f"{', '.join(unknown)}: must be among {', '.join(PEERS)}")
    tuning = [fold for fold in judged if "validation" in fold][-1]
    ids = [pd.read_parquet(f"data/tables/{of}s.parquet")[f"{of}_id"] for of in ("user", "item")]
    (OUT / "costs").mkdir(parents=True, exist_ok=True)
    for peer in given.peers or PEERS:
        tried, settings = [], PEERS[peer][1]
        for setting in settings:
            if sum(costs["seconds"] for _, costs in tried) < 60 * given.minutes:
                tried.append(alone(peer, setting, tuning, k))
        best = max(tried, key=lambda one: one[1]["map"])[1]["setting"] if tried else settings[0]
        known = {costs["fold"]: (top, costs) for top, costs in tried if costs["setting"] == best}
        fits = [known.get(of) or alone(peer, best, of, k) for of in given.folds]
        lists = pd.concat([top.assign(fold=costs["fold"]) for top, costs in fits])
        lists = lists.assign(
            user_id=ids[0].to_numpy()[lists["user"]], item_id=ids[1].to_numpy()[lists["item"]]
        )
        lists[["fold", "user_id", "item_id", "rank"]].to_csv(OUT / f"{peer}.csv", index=False)
        costs = [costs | {"is_tuning": True} for _, costs in tried]
        rest = [costs | {"map": None} for _, costs in fits if costs["fold"] not in known]
        pd.DataFrame(costs + rest).to_csv(OUT / f"costs/{peer}.csv", index=False)


if __name__ == "__main__":
    main()
