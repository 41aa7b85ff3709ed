"""Computes top-k lists of the baselines for the judged folds.

usage: python stages/baselines.py
in:    data/split/interactions.parquet, data/split/folds.json,
       data/tables/item_embeddings.npy, data/tables/item_tags.npz
out:   data/baselines/FOLD.parquet for each judged FOLD, by model, by user, best first: model
         string, number int16 (number of the setting), user, item int32 (rows in users.parquet and
         items.parquet), rank int16 (1 is best), score float32
       data/baselines/settings.csv, a row per model and setting: model, number, map (mean AP@k over
         the lists of all validation folds), is_best, parameters (JSON)

If a parameter is a list of values, every combination is tried on the validation folds, and the one
with the highest MAP (the first, if several tie) is used on all judged folds. All users of the
target window, or candidates.judged_users of them, get a list. Recent popular items fill lists that
are too short, and are the whole list of a cold user.
"""

from functools import partial
from pathlib import Path

from core import folds, tables
from core.candidate_lists import CandidateListParams
from core.history import load_fold
from core.lists import side_by_side
from core.metrics import average_precision
from core.params import SharedParams, section, shared_params
from core.script import run_script, whole_folder
from core.top_lists import MODEL_LISTS, EvaluateParams, TopLists, append, concatenate, rows_of

import numpy as np
import pyarrow.parquet as pq
from tqdm import tqdm

from models.model import Inputs
from models.popular import RecentPopularParams
from models.registry import BaselinesParams, Settings, fit, settings_table
from models.scoring import filled, parts_of, top_n

FOLDER = Path("data/baselines")


def write_fold(
    folder: Path,
    k: int,
    fallback: RecentPopularParams,
    candidates: CandidateListParams,
    shared: SharedParams,
    fold: str,
    settings: Settings,
) -> dict[tuple[str, int], np.ndarray]:
    """Write the lists of these models. Returns (model, number) -> AP@k, float64 (n_lists,)."""
    history, target = load_fold(fold, candidates, shared.seed)
    embeddings = np.load(tables.EMBEDDINGS)[history.items]
    inputs = Inputs(history, embeddings, 1, tags=tables.read_tags(history.items))
    recent = fit("recent_popular", fallback, inputs)
    alive = history.alive(candidates.alive_windows)
    blocks = [(users, history.user_of(users)) for users in parts_of(target.users)]
    popular = [top_n(recent, history, user, 2 * k, shared.n_threads, alive) for _, user in blocks]
    judged, n_relevant = np.unique(target.user, return_counts=True)

    def lists_of(setting: tuple[str, int]) -> TopLists:
        name, number = setting
        scores = fit(name, settings[name][number], inputs)
        parts = []
        for (users, user), for_cold in zip(blocks, popular, strict=True):
            is_warm = history.n_positives_of(users) > 0
            own = top_n(scores, history, user[is_warm], k, 1, alive)
            parts.append(rows_of(users, filled(own, is_warm, for_cold, k), history.items))
        return concatenate(parts)

    every, ap = [(name, number) for name, of in settings.items() for number in of], {}
    with pq.ParquetWriter(folder / f"{fold}.parquet", MODEL_LISTS) as file:
        results = side_by_side(lists_of, every, shared.n_threads)
        for setting, lists in zip(tqdm(every, fold, disable=None), results, strict=True):
            append(file, *setting, lists)
            ap[setting] = average_precision(lists.hits(target, judged, k), n_relevant)
    return ap


def main() -> None:
    shared, known = shared_params(), folds.load()
    k = section("evaluate", EvaluateParams).k
    fallback = section("sources.recent_popular", RecentPopularParams)
    candidates = section("candidates", CandidateListParams)
    settings = section("baselines", BaselinesParams).settings
    with whole_folder(FOLDER) as folder:
        write = partial(write_fold, folder, k, fallback, candidates, shared)
        found = [write(fold, settings) for fold in known.of_kind("validation")]
        # not sum(), which rounds differently from Python 3.12 on
        total = {key: float(np.sum([ap[key].sum() for ap in found])) for key in found[0]}
        n_lists = sum(len(next(iter(ap.values()))) for ap in found)
        table = settings_table(settings, total, n_lists)
        table.to_csv(folder / "settings.csv", index=False, lineterminator="\n")
        best = {
            row.model: {row.number: settings[row.model][row.number]}
            for row in table[table["is_best"]].itertuples()
        }
        for fold in known.of_kind("test"):
            write(fold, best)


if __name__ == "__main__":
    run_script(main)
