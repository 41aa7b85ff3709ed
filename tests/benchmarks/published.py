"""Compares simulated VK-LSVD with the figures published for its subsample ur0.01_ir0.01.

usage: python tests/benchmarks/published.py FOLDER
       FOLDER is from `python tests/simulator.py lsvd FOLDER --users 90000 --items 125000
       --rows 3720000 --weeks 27`
out:   on stdout a row per figure: simulated, published, and whether the simulator was fitted to it

The models are those of `implicit`, not those of the pipeline, with the known protocols of the
reports (data/README.md). All positives of the last week are relevant. 20 000 users with a relevant
item are sampled. A user without a positive in training gets popular items.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "stages"))
from core import metrics, process  # noqa: F401, before all others

# isort: split
import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from scipy import sparse

FITTED = {  # figures that the simulator is fitted to; it predicts the others
    "share watched whole": 0.31,
    "share of positives": 0.398,
    "share with like, share or bookmark": 0.034,
    "popular ndcg@10": 0.0000,
    "content ndcg@10": 0.0013,
    "iALS ndcg@10": 0.0118,
    "> 10 s: popular ndcg@20": 0.0024,
}
PREDICTED = {
    "share watched by half": 0.488,
    "BPR ndcg@10": 0.0092,
    "BPR recall@50": 0.0539,
    "iALS map@10": 0.0070,
    "iALS recall@50": 0.0840,
    "iALS coverage@50": 0.097,
    "iALS, a week earlier, ndcg@10": 0.0170,
    "iALS ndcg@10 of rare items": 0.0000,
    "content ndcg@10 of rare items": 0.0010,
    "iALS and new ndcg@10": 0.0116,
    "iALS and new ndcg@10 of rare items": 0.0023,
    "popular recall@50": 0.0115,
    "content recall@50": 0.0087,
    "> 10 s: iALS ndcg@20": 0.0262,
}
N_USERS, RARE, K = 20_000, 5, 50  # drawn; items with fewer positives in training are rare
NEW_PLACES = np.array([2, 14, 26, 37, 49])  # of K, for items without a positive in training


def read(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the log, with users and items as numbers, and the embeddings of the items."""
    parts = []
    for path in sorted(folder.rglob("week_*.parquet"), key=lambda path: path.name):
        parts.append(pd.read_parquet(path).assign(week=int(path.stem[5:])))
    rows = pd.concat(parts, ignore_index=True)
    items = pd.read_parquet(folder / "metadata/items_metadata.parquet").set_index("item_id")
    with np.load(folder / "metadata/item_embeddings.npz") as arrays:
        vectors = arrays["embedding"][pd.Index(arrays["item_id"]).get_indexer(items.index)]
    rows["ratio"] = rows["timespent"] / items["duration"].reindex(rows["item_id"]).to_numpy()
    rows["explicit"] = rows["like"] | rows["share"] | rows["bookmark"]
    rows["positive"] = rows["explicit"] | (rows["ratio"] >= 0.8)
    rows["long"] = rows["timespent"] > 10
    rows["item"] = items.index.get_indexer(rows["item_id"])
    rows["user"] = pd.factorize(rows["user_id"])[0]
    return rows, vectors.astype(np.float32)


class Protocol:
    """Models fitted on positives by `rule` before week `known`, evaluated on the week `week`."""

    def __init__(self, rows: pd.DataFrame, rule: str, known: int, week: int) -> None:
        rows, shape = rows[rows[rule]], (rows["user"].max() + 1, rows["item"].max() + 1)

        def matrix(rows: pd.DataFrame, values: np.ndarray) -> sparse.csr_matrix:
            return sparse.csr_matrix((values, (rows["user"], rows["item"])), shape, np.float32)

        old, new = rows[rows["week"] < known], rows[rows["week"] == week]
        self.train, self.target = (matrix(of, np.ones(len(of))) for of in (old, new))
        self.weights = matrix(old, 20 * (old["ratio"].clip(0, 1) + 3 * old["like"]) + 1)
        self.count = self.train.getnnz(axis=0)
        users = np.random.default_rng(0).permutation(np.unique(new["user"]))[:N_USERS]
        self.users, self.is_cold = users, self.train[users].getnnz(axis=1) == 0
        self.known = np.flatnonzero(self.count)
        self.new = np.setdiff1d(new["item"], self.known)  # the reports know these, too
        ones = np.ones((shape[0], 1), np.float32)
        self.popular = self.lists(ones, self.count[:, None].astype(np.float32), self.known)

    def lists(self, users: np.ndarray, items: np.ndarray, among: np.ndarray) -> np.ndarray:
        """Return the best items by dot product, int (n_users, K), `among` those not seen yet."""
        model = AlternatingLeastSquares()
        model.user_factors, model.item_factors = users, items
        best, _ = model.recommend(self.users, self.train[self.users], N=K, items=among)
        if self.is_cold.any() and hasattr(self, "popular"):
            best[self.is_cold] = self.popular[self.is_cold]
        return best

    def content(self, vectors: np.ndarray, among: np.ndarray) -> np.ndarray:
        vectors = vectors[: len(self.count)]  # the last items may have no row
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return self.lists(self.train @ unit, unit, among)

    def ials(self) -> np.ndarray:
        model = AlternatingLeastSquares(128, regularization=0.01, iterations=20, random_state=0)
        model.fit(self.weights, show_progress=False)
        return self.lists(model.user_factors, model.item_factors, self.known)

    def bpr(self) -> np.ndarray:
        model = BayesianPersonalizedRanking(128, learning_rate=0.05, random_state=0)
        model.fit(self.train, show_progress=False)
        return self.lists(model.user_factors, model.item_factors, self.known)

    def mean(self, metric: str, lists: np.ndarray, k: int, *, rare: bool = False) -> float:
        """Return the mean over users with a relevant item, with a rare one if only they count."""
        target = self.target[self.users].multiply((self.count < RARE) | (not rare)).tocsr()
        n_relevant = target.getnnz(axis=1)
        hits = target[np.arange(len(lists))[:, None], lists[:, :k]].toarray() > 0
        has = n_relevant > 0
        return getattr(metrics, metric)(hits[has], n_relevant[has]).mean()


def main(folder: Path) -> None:
    rows, vectors = read(folder)
    last = rows["week"].max()
    test = Protocol(rows, "positive", last - 1, last)
    ials, bpr, content = test.ials(), test.bpr(), test.content(vectors, [*test.known, *test.new])
    mixed = np.insert(ials[:, : K - len(NEW_PLACES)], NEW_PLACES - np.arange(5), 0, axis=1)
    mixed[:, NEW_PLACES] = test.content(vectors, test.new)[:, : len(NEW_PLACES)]
    mixed[test.is_cold] = test.popular[test.is_cold]
    earlier = Protocol(rows, "positive", last - 1, last - 1)
    long = Protocol(rows, "long", last, last)
    found = {
        "share watched whole": (rows["ratio"] >= 1).mean(),
        "share watched by half": (rows["ratio"] >= 0.5).mean(),
        "share of positives": rows["positive"].mean(),
        "share with like, share or bookmark": rows["explicit"].mean(),
        "iALS map@10": test.mean("average_precision", ials, 10),
        "iALS coverage@50": len(np.unique(ials)) / (len(test.known) + len(test.new)),
        "iALS, a week earlier, ndcg@10": earlier.mean("ndcg", earlier.ials(), 10),
        "> 10 s: popular ndcg@20": long.mean("ndcg", long.popular, 20),
        "> 10 s: iALS ndcg@20": long.mean("ndcg", long.ials(), 20),
    }
    of_models = {"popular": test.popular, "content": content, "BPR": bpr, "iALS": ials}
    for name, lists in (of_models | {"iALS and new": mixed}).items():
        found[f"{name} ndcg@10"] = test.mean("ndcg", lists, 10)
        found[f"{name} ndcg@10 of rare items"] = test.mean("ndcg", lists, 10, rare=True)
        found[f"{name} recall@50"] = test.mean("recall", lists, K)
    for title, figures in (("fitted", FITTED), ("predicted", PREDICTED)):
        print(f"\n{title:38}published  simulated")
        for name, value in figures.items():
            print(f"{name:38}{value:9.4f}{found[name]:11.4f}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
