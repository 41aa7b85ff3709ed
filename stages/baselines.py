"""Top-k lists of the single models that the hybrid has to beat, for the judged folds; each model
with the settings that are best on the validation folds.

usage: python stages/baselines.py
in:    data/split/interactions.parquet, data/split/folds/FOLD.json for each judged FOLD,
       data/item_embeddings.npy, data/item_tags.npz
out:   data/baselines/FOLD.parquet for each judged FOLD, by model, by user, best first: model
         string, number int16 (of its setting), user, item int32 (rows in users.parquet and
         items.parquet), rank int16 (1 is best), score float32
       data/baselines/settings.csv, a row per model and setting: model, number, map (mean AP@k over
         the lists of all validation folds), is_best, parameters (JSON)

The models are the sources that the section `baselines` names. A parameter there may be a list of
values; every combination is tried on the validation folds, and the best one alone, of equal ones
the first, is used on the test folds. Every user of the target window is served; what a model leaves
open, and every cold user, is filled up with recent popular items, as in `candidates`.
"""

import json
from pathlib import Path

from harness.params import SharedParams, Strict, kind_of, section, shared_params
from harness.script import run_script, whole_folder

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from tqdm import tqdm

from contenders.filled_lists import as_rows, lists_of
from evaluation.metrics import average_precision
from evaluation.top_lists import MODEL_LISTS, EvaluateParams, TopLists, append
from folds import tables
from folds.history import Target, load_fold
from retrieval import SOURCES, BaselinesParams, Inputs
from retrieval.popular import RecentPopularParams, recent_popular

FOLDER = Path("data/baselines")
USERS_AT_ONCE = 8192

Settings = dict[str, dict[int, Strict]]  # of each model, by number


class SumOfAp:
    """Adds up AP@k over the lists of a target, block by block of users."""

    def __init__(self, target: Target, k: int) -> None:
        self.target, self.k, self.total = target, k, 0.0
        self.users, self.n_relevant = np.unique(target.user, return_counts=True)

    def add(self, served: np.ndarray, lists: TopLists) -> None:
        """The lists of these users."""
        is_judged = np.isin(self.users, served)
        hits = lists.hits(self.target, self.users[is_judged], self.k)
        self.total += float(average_precision(hits, self.n_relevant[is_judged]).sum())


def write_fold(
    path: Path, fold: str, settings: Settings, fallback: RecentPopularParams, k: int, threads: int
) -> tuple[dict[tuple[str, int], float], int]:
    """Writes the lists of these models and settings; the sum of AP@k of each, and the number of
    lists.
    """
    history, target = load_fold(fold)
    embeddings = np.load(tables.EMBEDDINGS)[history.items]
    inputs = Inputs(history, embeddings, threads, tags=tables.read_tags(history.items))
    recent = recent_popular(inputs, fallback)
    blocks = [
        (users, recent(history.user_of(users), 2 * k))
        for users in np.split(target.users, range(USERS_AT_ONCE, len(target.users), USERS_AT_ONCE))
    ]
    every = [(name, number) for name, by_number in settings.items() for number in by_number]
    sums = {}
    with pq.ParquetWriter(path, MODEL_LISTS) as file:
        for name, number in tqdm(every, fold, disable=None):
            baseline = SOURCES[name].fit(inputs, settings[name][number])
            total = SumOfAp(target, k)
            for users, popular in blocks:
                found = lists_of(history, baseline, users, popular, k)
                lists = as_rows(users, found, history.items)
                append(file, name, number, lists)
                total.add(users, lists)
            sums[name, number] = total.total
    return sums, len(total.users)


def tune(
    folder: Path, settings: Settings, fallback: RecentPopularParams, k: int, shared: SharedParams
) -> pd.DataFrame:
    """Writes the files of the validation folds, with every setting; returns settings.csv."""
    total = {(name, number): 0.0 for name, of in settings.items() for number in of}
    n_lists = 0
    for fold in shared.of_kind("validation"):
        path = folder / f"{fold}.parquet"
        sums, n = write_fold(path, fold, settings, fallback, k, shared.n_threads)
        n_lists += n
        for key, value in sums.items():
            total[key] += value
    best = {name: max(of, key=lambda number: total[name, number]) for name, of in settings.items()}
    rows = [
        {
            "model": name,
            "number": number,
            "map": value / n_lists,
            "is_best": number == best[name],
            "parameters": json.dumps(settings[name][number].model_dump()),
        }
        for (name, number), value in total.items()
    ]
    return pd.DataFrame(rows)


def main() -> None:
    shared = shared_params()
    k = section("evaluate", EvaluateParams).k
    fallback = section("sources.recent_popular", RecentPopularParams)
    settings = section("baselines", BaselinesParams).settings
    with whole_folder(FOLDER) as folder:
        table = tune(folder, settings, fallback, k, shared)
        table.to_csv(folder / "settings.csv", index=False, lineterminator="\n")
        best = {
            row.model: {row.number: settings[row.model][row.number]}
            for row in table[table["is_best"]].itertuples()
        }
        for fold in shared.judged:
            if kind_of(fold) == "test":
                write_fold(folder / f"{fold}.parquet", fold, best, fallback, k, shared.n_threads)


if __name__ == "__main__":
    run_script(main)
