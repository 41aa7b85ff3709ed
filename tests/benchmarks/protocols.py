"""Repeats published experiments on MovieLens-1M: their filter, split, test users and targets.

usage: python tests/benchmarks/protocols.py write PROTOCOL FOLDER    (after dvc repro download)
       the command that it prints, which runs the pipeline on FOLDER
       python tests/benchmarks/protocols.py score PROTOCOL FOLDER [LISTS]
       PROTOCOL is time-to-split or lk-demo-experiment, see PROTOCOLS
in:    data/raw/ml-1m.inter, ml-1m.item and ml-1m.user; of score: data/recommendations/test.parquet,
       or LISTS, a CSV file of another model as for `stages/compare.py --lists`
out:   FOLDER/log.csv, users.csv and items.csv for the source `table`, whose last window is the
       holdout; FOLDER/targets.csv: user_id, item_id, is_warm, of the test users;
       of score, on stdout: NDCG@k with its 95 % interval, against the best published figure; for
       LISTS of peers.py also whether the model reaches REPRODUCED of its own published figure

Windows have equal sizes, so some rows are written again: a repeated pair counts once, in training
and as a target. An interaction that the published protocol gives as input has the time of the cut.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "stages"))

import numpy as np
import pandas as pd

from evaluation.bootstrap import intervals
from same_system import TOP

N_RESAMPLES, SEED = 10_000, 42
REPRODUCED = 0.9  # least ratio to a peer's own published figure
COLUMNS = ["user_id", "item_id", "is_warm"]


class Protocol(NamedTuple):
    """A published experiment."""

    core: int  # users and items with fewer interactions are dropped, until none is left
    holdout: float  # share of the interactions after the cut, a quantile of their times
    k: int
    is_lenskit: bool  # its rules, see cut and ndcg
    expected: tuple[int, int, int]  # interactions, test users and targets
    published: dict[str, float]  # group of users -> the best NDCG@k
    peers: dict[str, float]  # model of peers.py -> its published NDCG@k over all users


PROTOCOLS = {
    # Gusak et al. 2025, arXiv 2507.16289, github.com/monkey0head/time-to-split: GRU4Rec, the best
    # of 104 settings on test, in data/results/global_timesplit/val_*/Movielens-1m/q09. Its notebook
    # counts 82.68 interactions of each test user after the cut; 29 of all these are input
    "time-to-split": Protocol(
        core=5,
        holdout=0.1,
        k=10,
        is_lenskit=False,
        expected=(999_611, 1_209, 99_932),
        published={"all": 0.2685, "warm": 0.2616},
        peers={"sasrec": 0.1994, "bert4rec": 0.2660},  # the best of 108 settings on test
    ),
    # github.com/lenskit/lk-demo-experiment at f9f2b0d, eval-metrics.ml-1m.json: LightGCN, WARP. It
    # has no counts, but popularity scores 0.1894 there, as by the split and the metric here
    "lk-demo-experiment": Protocol(
        core=1,
        holdout=0.2,
        k=100,
        is_lenskit=True,
        expected=(1_000_209, 1_143, 104_543),
        published={"all": 0.2129},
        peers={"item_knn": 0.1792, "slim": 0.1963, "bpr": 0.1771},  # bpr: LensKit's own
    ),
}


def read_raw(of: str) -> pd.DataFrame:
    """Read a RecBole file of MovieLens-1M."""
    table = pd.read_csv(f"data/raw/ml-1m.{of}", sep="\t", quoting=3, dtype={"item_id:token": str})
    return table.rename(columns=lambda name: name.partition(":")[0])


def cored(log: pd.DataFrame, core: int) -> pd.DataFrame:
    """Drop users and items with fewer than `core` interactions until none is left."""
    while True:
        counts = [log.groupby(of)["rating"].transform("size") for of in ("user_id", "item_id")]
        is_kept = np.minimum(*counts) >= core
        if is_kept.all():
            return log
        log = log[is_kept]


def cut(log: pd.DataFrame, of: Protocol) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the log before the cut, the log after it, and targets: user_id, item_id, is_warm.

    The first interaction of a user without a history is input. LensKit leaves out such users.
    """
    log = log.sort_values("timestamp", kind="stable")
    edge = log["timestamp"].quantile(1 - of.holdout)
    is_known = log["timestamp"] < edge if of.is_lenskit else log["timestamp"] <= edge
    known, later = log[is_known], log[~is_known]
    targets = later.assign(is_warm=later["user_id"].isin(known["user_id"]))
    is_input = ~targets["is_warm"] & ~targets["user_id"].duplicated()
    if of.is_lenskit:
        return known, later, targets.loc[targets["is_warm"], COLUMNS]
    known = pd.concat([known, later[is_input].assign(timestamp=int(edge))])
    return known, later, targets.loc[~is_input, COLUMNS]


def padded(known: pd.DataFrame, later: pd.DataFrame, n_windows: int) -> pd.DataFrame:
    """Return the log with repeats, so that the last of n_windows equal parts is `later`."""
    n_known, n_later = len(known), len(later)
    n_known = max(n_known, (n_windows - 1) * n_later)
    n_later = max(n_later, n_known // (n_windows - 1))
    more = n_known - len(known), n_later - len(later)
    print(f"protocols: {more[0]} rows before and {more[1]} after the cut are repeats")
    repeats = known[: more[0]], later[: more[1]]
    return pd.concat([known, later, *repeats]).sort_values("timestamp", kind="stable")


def write(protocol: str, folder: Path) -> None:
    """Write the tables and the targets, and print the command that reads them."""
    of, n_windows = PROTOCOLS[protocol], round(1 / PROTOCOLS[protocol].holdout)
    log = cored(read_raw("inter"), of.core)
    known, later, targets = cut(log, of)
    counts = len(log), targets["user_id"].nunique(), len(targets)
    print("protocols: {:,} interactions, {:,} test users, {:,} targets".format(*counts))
    if counts != of.expected:
        sys.exit(f"protocols: the published protocol has {of.expected}")
    items = read_raw("item").assign(genre=lambda items: items["genre"].str.replace(" ", "|"))
    folder.mkdir(parents=True, exist_ok=True)
    padded(known, later, n_windows).to_csv(folder / "log.csv", index=False)
    targets.to_csv(folder / "targets.csv", index=False)
    read_raw("user").drop(columns="zip_code").to_csv(folder / "users.csv", index=False)
    items[items["item_id"].isin(log["item_id"])].to_csv(folder / "items.csv", index=False)
    labels = [f"label_{number}" for number in range(1, min(5, n_windows - 3) + 1)]
    values = {
        "data.source": "table",
        "data.path": folder.resolve(),
        "data.positive": '"rating >= 1"',
        "data.table.interactions": "log.csv",
        "data.table.users": "users.csv",
        "data.table.items": "items.csv",
        "data.table.title": "movie_title",
        "data.table.tags": "[genre]",
        "split.windows": n_windows,
        "folds": f"[{','.join(['test', 'validation', *labels])}]",
        "evaluate.k": of.k,
    }
    print("dvc exp run", *(f"-S '{key}={value}'" for key, value in values.items()))


def ndcg(hits: np.ndarray, n_relevant: np.ndarray, is_lenskit: bool) -> np.ndarray:
    """Return NDCG with the discount log2(rank + 1) and min(k, n_relevant) hits in the ideal list,
    or that of LensKit: max(1, log2(rank)) and n_relevant hits. hits: bool (n_lists, k)
    """
    k, ranks = hits.shape[1], np.arange(1, max(hits.shape[1], n_relevant.max()) + 1)
    gains = 1 / np.log2(np.maximum(ranks, 2) if is_lenskit else ranks + 1)
    n_ideal = n_relevant if is_lenskit else np.minimum(k, n_relevant)
    return (hits * gains[:k]).sum(axis=1) / np.cumsum(gains)[n_ideal - 1]


def score(protocol: str, folder: Path, path: Path | None) -> None:
    """Print NDCG@k over all test users and over the warm ones, by the protocol's own targets."""
    of, targets = PROTOCOLS[protocol], pd.read_csv(folder / "targets.csv")
    if path:
        lists = pd.read_csv(path).query("fold == 'test'")
    else:
        lists = pd.read_parquet("data/recommendations/test.parquet")
    users = targets.groupby("user_id").agg(n=("item_id", "size"), is_warm=("is_warm", "first"))
    print(f"{(~users.index.isin(lists['user_id'])).sum()} test users have no list, and count as 0")
    hits = np.zeros((len(users), of.k), dtype=bool)
    found = lists.merge(targets, on=["user_id", "item_id"])
    hits[users.index.get_indexer(found["user_id"]), found["rank"] - 1] = True
    values = ndcg(hits, users["n"].to_numpy(), of.is_lenskit)
    groups = {"all": values, "warm": np.where(users["is_warm"], values, np.nan)}
    for group, best in of.published.items():
        draw = np.arange(len(users)), N_RESAMPLES, SEED, 1
        found = intervals({group: groups[group]}, *draw)[group]
        print(
            f"NDCG@{of.k} of {found.n:,} users, {group}: {found.value:.4f} ({found.low:.4f} to "
            f"{found.high:.4f}), {found.value / best:.2f} times the {best} published, the lower "
            f"end {found.low / best:.2f} times"
        )
    if path and (own := of.peers.get(path.stem)):
        ratio = values.mean() / own
        said = "reproduced" if ratio >= REPRODUCED else "not reproduced"
        print(f"{path.stem}: {ratio:.2f} times its own published {own}, {said}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["write", "score"])
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("lists", type=Path, nargs="?")
    given = parser.parse_args()
    folder, lists = given.folder.resolve(), given.lists and given.lists.resolve()
    os.chdir(TOP)
    if given.action == "write":
        write(given.protocol, folder)
    else:
        score(given.protocol, folder, lists)


if __name__ == "__main__":
    main()
