"""Fits models of other libraries on the histories of judged folds and writes their top-k lists.

usage: python tests/benchmarks/peers.py [PEER ...] [--minutes 30]    (after dvc repro; in an
       environment of requirements-peers.txt), then, in that of requirements.txt:
       python stages/compare.py --lists data/peers/*.csv
       PEER is one of PEERS, all if not given
in:    data/split/interactions.parquet, data/split/folds.json, data/tables/users.parquet and
       items.parquet, params.yaml (evaluate.k)
out:   data/peers/PEER.csv: fold, user_id, item_id, rank
       data/peers/costs/PEER.csv, a row per setting tried (is_tuning) and per fold of the lists:
       peer, fold, setting, seconds of processor time and peak memory in MB, both of fit and
       recommendations, map (of validation folds), is_tuning

Each peer tries its settings, in the order of PEERS, on the earliest validation fold, until it has
spent --minutes of processor time; with 0 it uses the first. The best by MAP@k is used for all
folds. Cold users get recent popular items, as from ALS and the baselines of the pipeline.
"""

import argparse
import json
import multiprocessing
import os
import resource
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

TOP = Path(__file__).resolve().parents[2]
OUT = Path("data/peers")
DEPTH = 300  # items that a peer recommends, before seen items are removed
RECENT_WINDOWS = 2
SEED = 42
# a fixed number of threads, on which results depend, that wait without using the processor
THREADS = {f"{of}_NUM_THREADS": "2" for of in ("OMP", "OPENBLAS", "NUMBA", "LK")}
THREADS |= {"OMP_WAIT_POLICY": "PASSIVE"}


def rectools_lists(model: object, log: pd.DataFrame, users: np.ndarray) -> pd.DataFrame:
    """Return user, item and rank by a model of RecTools, for which a window lasts a day."""
    from rectools import Columns
    from rectools.dataset import Dataset

    rows = {Columns.User: log["user"], Columns.Item: log["item"], Columns.Weight: 1.0}
    day = log["window"] + np.arange(len(log)) / len(log)  # in the order of rows
    rows[Columns.Datetime] = pd.to_datetime(day, unit="D")
    dataset = Dataset.construct(pd.DataFrame(rows))
    lists = model.fit(dataset).recommend(users, dataset, k=DEPTH, filter_viewed=True)
    return lists.rename(columns={Columns.User: "user", Columns.Item: "item"})


def lenskit_lists(
    scorer: str, log: pd.DataFrame, users: np.ndarray, **setting: object
) -> pd.DataFrame:
    """Return user, item and rank by a scorer of LensKit."""
    from lenskit import knn
    from lenskit.batch import recommend
    from lenskit.data import from_interactions_df
    from lenskit.pipeline import topn_pipeline

    pipeline = topn_pipeline(getattr(knn, scorer)(**setting), n=DEPTH)
    columns = {"user": "user_id", "item": "item_id"}
    pipeline.train(from_interactions_df(log[[*columns]].rename(columns=columns)))
    lists = recommend(pipeline, users, n=DEPTH, n_jobs=1).to_df()
    return lists.rename(columns={"user_id": "user", "item_id": "item"})


def bpr(log: pd.DataFrame, users: np.ndarray, **setting: float) -> pd.DataFrame:
    """BPR of implicit."""
    from implicit.bpr import BayesianPersonalizedRanking
    from rectools.models import ImplicitBPRWrapperModel

    model = BayesianPersonalizedRanking(random_state=SEED, num_threads=1, **setting)
    return rectools_lists(ImplicitBPRWrapperModel(model), log, users)


def network(model: str, log: pd.DataFrame, users: np.ndarray, **setting: float) -> pd.DataFrame:
    """SASRec or BERT4Rec of RecTools."""
    from pytorch_lightning import seed_everything
    from rectools import models

    seed_everything(SEED)
    return rectools_lists(getattr(models, model)(deterministic=True, **setting), log, users)


def two_stage(
    log: pd.DataFrame, users: np.ndarray, n_candidates: int, n_negatives: int, **setting: float
) -> pd.DataFrame:
    """Two-stage model of RecTools as in its tutorial, with ALS as one more generator.

    LightGBM is trained on the candidates of the last window, by models of the windows before.
    Features are ranks and scores of the generators, and the columns of users and items.
    """
    from implicit.als import AlternatingLeastSquares
    from implicit.nearest_neighbours import CosineRecommender
    from lightgbm import LGBMRanker
    from rectools import Columns, models
    from rectools.model_selection import TimeRangeSplitter
    from rectools.models import ranking

    class Features(ranking.CandidateFeatureCollector):
        def _get_user_features(self, users: np.ndarray, *_: object) -> pd.DataFrame:
            table = pd.read_parquet("data/tables/users.parquet").drop(columns="user_id")
            return table.loc[users].rename_axis(Columns.User).reset_index()

        def _get_item_features(self, items: np.ndarray, *_: object) -> pd.DataFrame:
            table = pd.read_parquet("data/tables/items.parquet").drop(columns="item_id")
            return table.loc[items].rename_axis(Columns.Item).reset_index()

    class Ranker(ranking.Reranker):
        def prepare_fit_kwargs(self, candidates_with_target: pd.DataFrame) -> dict:
            rows = candidates_with_target.sort_values(Columns.UserItem)
            return super().prepare_fit_kwargs(rows) | {"group": rows.groupby(Columns.User).size()}

    als = AlternatingLeastSquares(64, 50.0, 1.0, iterations=15, num_threads=1, random_state=SEED)
    first = (
        models.PopularModel(),
        models.ImplicitItemKNNWrapperModel(CosineRecommender(num_threads=1)),
        models.ImplicitALSWrapperModel(als),
    )
    model = ranking.CandidateRankingModel(
        [ranking.CandidateGenerator(of, n_candidates, True, True) for of in first],
        TimeRangeSplitter("1D"),
        Ranker(LGBMRanker(random_state=SEED, n_jobs=1, verbose=-1, **setting)),
        ranking.PerUserNegativeSampler(n_negatives, SEED),
        Features(),
    )
    return rectools_lists(model, log, users)


NETWORK = {"n_factors": 64, "n_heads": 2, "session_max_len": 50, "dropout_rate": 0.2}
NETWORK |= {"loss": "sampled_softmax", "n_negatives": 30}  # a third of the time of softmax
BERT = {"mask_prob": 0.3, "n_blocks": 1, **NETWORK}
RANKER = {"learning_rate": 0.05, "num_leaves": 15}
BOTH = ("positives", "exposures")
# name -> its function, and its settings; `of`: the interactions that it is fitted on
PEERS = {
    "item_knn": (
        partial(lenskit_lists, "ItemKNNScorer", feedback="implicit"),
        [{"of": of, "max_nbrs": most, "min_nbrs": 2} for of in BOTH for most in (30, 200)],
    ),
    "slim": (
        partial(lenskit_lists, "SLIMScorer"),
        [
            {"of": of, "l1_reg": l1, "l2_reg": l2}
            for of in BOTH
            for l1, l2 in ((5.0, 100.0), (1.0, 1.0))
        ],
    ),
    "bpr": (
        bpr,
        [
            {"of": of, "factors": factors, "iterations": iterations}
            for factors, iterations in ((64, 100), (128, 200))
            for of in BOTH
        ],
    ),
    "two_stage": (
        two_stage,
        [
            {"n_candidates": n_candidates, "n_negatives": n_negatives, "n_estimators": n, **RANKER}
            for n_candidates, n_negatives in ((30, 3), (100, 1000), (100, 3))  # 1000: all
            for n in (50, 150)
        ],
    ),
    "sasrec": (
        partial(network, "SASRecModel"),
        [{"of": of, "epochs": epochs, **NETWORK} for epochs in (2, 4) for of in BOTH],
    ),
    "bert4rec": (
        partial(network, "BERT4RecModel"),
        [{"of": of, "epochs": epochs, **BERT} for epochs in (2, 4) for of in BOTH],
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
    warnings.simplefilter("ignore")  # of libraries, about each other
    history, relevant, users = fold_of(fold)
    of = dict(setting)
    is_of_all = of.pop("of", "positives") == "exposures"
    log = history if is_of_all else history[history["is_positive"]]
    log = log[~log["is_repeat"]]
    lists = PEERS[peer][0](log, np.intersect1d(users, log["user"]), **of)
    top = top_k(lists[["user", "item", "rank"]], history, users, k)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = round(used.ru_utime + used.ru_stime, 1)
    costs = {"peer": peer, "fold": fold, "setting": json.dumps(setting), "seconds": seconds}
    costs |= {"mb": used.ru_maxrss // 1024, "map": None}
    if "validation" in fold:  # choices do not see test folds
        costs["map"] = mean_ap(top, relevant, k)
    return top, costs


def alone(peer: str, setting: dict, fold: str, k: int) -> tuple[pd.DataFrame, dict]:
    """Run fit() in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        top, costs = process.submit(fit, peer, setting, fold, k).result()
    print(f"peers: {costs}", flush=True)
    return top, costs


def main() -> None:
    os.chdir(TOP)
    os.environ.update(THREADS)
    k = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["evaluate"]["k"]
    judged = [
        of for of in json.loads(Path("data/split/folds.json").read_text()) if "label" not in of
    ]
    parser = argparse.ArgumentParser()
    parser.add_argument("peers", nargs="*", metavar="PEER", help=", ".join(PEERS))
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
        best = max(tried, key=lambda one: one[1]["map"])[1]["setting"] if tried else None
        known = {costs["fold"]: (top, costs) for top, costs in tried if costs["setting"] == best}
        setting = json.loads(best) if best else settings[0]
        fits = [known.get(of) or alone(peer, setting, of, k) for of in judged]
        lists = pd.concat([top.assign(fold=costs["fold"]) for top, costs in fits])
        lists = lists.assign(
            user_id=ids[0].to_numpy()[lists["user"]], item_id=ids[1].to_numpy()[lists["item"]]
        )
        lists[["fold", "user_id", "item_id", "rank"]].to_csv(OUT / f"{peer}.csv", index=False)
        rows = [costs | {"is_tuning": True} for _, costs in tried]
        rows += [costs | {"is_tuning": False} for _, costs in fits]
        pd.DataFrame(rows).to_csv(OUT / f"costs/{peer}.csv", index=False)


if __name__ == "__main__":
    main()
