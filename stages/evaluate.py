"""Judges the recommendations of all judged folds against ALS alone, the baselines and the ceiling
of the candidate lists; folds of a kind (validation, test) are pooled.

usage: python stages/evaluate.py
in:    data/users.parquet, data/items.parquet, data/split/interactions.parquet,
       data/baselines/settings.csv, data/ranker/feature_gain.csv, data/ranker/learning_curve.csv;
       for each judged FOLD: data/split/folds/FOLD.json, data/candidates/FOLD.parquet,
       data/baselines/FOLD.parquet, data/recommendations/FOLD.parquet,
       data/single_models/FOLD.parquet
out:   metrics/map.json: what `dvc metrics` shows: MAP@k of ALS, the hybrid and the best baseline,
         the gain over ALS and its interval, the ceiling; for validation and test
       metrics/validation.json, metrics/test.json, metrics/baselines.json: see README.md there
       metrics/windows.csv: a row per judged fold, the oldest first: fold, window, n_lists, MAP@k of
         every model, gain over ALS and its interval, the same for warm and for cold users
       metrics/by_k/validation.csv, metrics/by_k/test.csv: k, and MAP@k of every model
       metrics/slices.csv: kind, slice, n_lists, and MAP@k of every model
       metrics/feature_gain.csv, metrics/learning_curve.csv: as the ranker wrote them
       metrics/windows.png: the gain over ALS by window and pooled, with its intervals
       metrics/results.png: of the test folds, MAP@k of every model by k and by slice of users, and
         the features that gain most
       data/per_user/FOLD.parquet for each judged FOLD: user_id, is_cold bool, n_relevant int32,
         ap_MODEL and ndcg_MODEL float64 for every model: AP@k and NDCG@k; users with a relevant
         item, ascending
"""

import shutil
from pathlib import Path

from harness.params import section, shared_params
from harness.script import report, run_script, whole, whole_folder

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evaluation import per_user, pictures, results, top_lists
from evaluation.figures import to_json
from evaluation.judge import Judged, als_lists_and_counts, judge, pool, recommended_lists
from evaluation.metrics import FEWEST_USERS
from evaluation.top_lists import EvaluateParams, check_length
from folds import tables
from folds.candidate_lists import CandidateListParams
from folds.history import load_fold, target_window

METRICS = Path("metrics")
PER_USER = Path("data/per_user")
KINDS = ("validation", "test")


def judge_fold(
    fold: str,
    settings: pd.DataFrame,
    user_ids: pa.ChunkedArray,
    item_ids: pa.ChunkedArray,
    k: int,
) -> Judged:
    """The lists of one fold, from its files; settings: of the baselines, the best of each."""
    history, target = load_fold(fold)
    als, counts = als_lists_and_counts(fold, target, k)
    lists = {"als": als, "hybrid": recommended_lists(fold, user_ids, item_ids)}
    for row in settings.itertuples():
        lists[row.model] = top_lists.read(f"data/baselines/{fold}.parquet", row.model, row.number)
    single = f"data/single_models/{fold}.parquet"
    n_single = pc.max(pq.read_table(single, columns=["number"])["number"]).as_py() + 1
    each = [top_lists.read(single, "hybrid", number) for number in range(n_single)]
    return judge(history, target, lists, each, counts, k)


def write_json(path: Path, tree: dict) -> None:
    with whole(path) as temporary:
        temporary.write_text(f"{to_json(tree)}\n", encoding="utf-8")


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    with whole(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def write_picture(path: Path, figure: plt.Figure) -> None:
    with whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=80, metadata={"Software": None})


def check_als(judged: Judged) -> None:
    """Reports on one line where ALS is so weak that a gain over it says little."""
    maps = {model: float(judged.ap(model).mean()) for model in judged.hits}
    if stronger := results.much_stronger_than_als(maps):
        others = ", ".join(f"{name} {value:.4f}" for name, value in stronger.items())
        report(
            f"ALS is not tuned: its MAP on the validation folds is {maps['als']:.4f} ({others}), "
            "so a gain over it says little; try python stages/search.py "
            "als.alpha=0.1..100:log als.regularization=0.1..100:log als.factors=16..256:log "
            "--draws 20"
        )


def report_small(judged: dict[str, Judged]) -> None:
    """Reports on one line which of these have no interval, since they are of too few users."""
    small = []
    for name, of in judged.items():
        for group, rows in (("", slice(None)), (" warm", ~of.is_cold), (" cold", of.is_cold)):
            n_users = len(np.unique(of.user[rows]))
            if 0 < n_users < FEWEST_USERS:
                small.append(f"{name}{group} ({n_users})")
                if not group:
                    break
    if small:
        report(f"no interval for fewer than {FEWEST_USERS} users: {', '.join(small)}")


def main() -> None:
    shared = shared_params()
    params = section("evaluate", EvaluateParams)
    candidates = section("candidates", CandidateListParams)
    check_length(params.k, candidates.per_source)
    user_ids = pq.read_table(tables.USERS, columns=["user_id"])["user_id"]
    item_ids = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"]
    settings = pd.read_csv("data/baselines/settings.csv")
    best = settings[settings["is_best"]]
    judged = {fold: judge_fold(fold, best, user_ids, item_ids, params.k) for fold in shared.judged}
    pooled = {kind: pool([judged[fold] for fold in shared.of_kind(kind)]) for kind in KINDS}
    check_als(pooled["validation"])
    report_small({**{f"{kind} pooled": of for kind, of in pooled.items()}, **judged})

    summaries, screen = {}, {}
    for kind, of in pooled.items():
        summaries[kind] = results.summary(of, params, shared.seed, shared.n_threads)
        screen[kind] = results.one_screen(summaries[kind], of)
    windows = pd.DataFrame(
        [
            {
                "fold": fold,
                "window": target_window(fold),
                **results.window_row(judged[fold], params, shared.seed),
            }
            for fold in reversed(shared.judged)
        ]
    )
    every_slice = pd.concat(
        [results.slices(of).assign(kind=kind) for kind, of in pooled.items()]
    ).set_index("kind")
    curves = {kind: results.by_k(of) for kind, of in pooled.items()}
    gain = pd.read_csv("data/ranker/feature_gain.csv")
    drawn = {
        "windows.png": pictures.gain_by_window(windows, screen),
        "results.png": pictures.results(curves["test"], every_slice.loc["test"], gain),
    }

    with whole_folder(PER_USER) as folder:
        for fold, of in judged.items():
            table = per_user.table_of(of, user_ids)
            tables.write_parquet(folder / f"{fold}.parquet", table)
    write_json(METRICS / "map.json", screen)
    for kind in KINDS:
        write_json(METRICS / f"{kind}.json", summaries[kind])
    with whole_folder(METRICS / "by_k") as folder:
        for kind, curve in curves.items():
            write_csv(folder / f"{kind}.csv", curve)
    write_json(METRICS / "baselines.json", results.baselines_tree(pooled, settings))
    write_csv(METRICS / "windows.csv", windows)
    write_csv(METRICS / "slices.csv", every_slice.reset_index())
    for name in ("feature_gain.csv", "learning_curve.csv"):
        with whole(METRICS / name) as path:
            shutil.copyfile(Path("data/ranker") / name, path)
    for name, figure in drawn.items():
        write_picture(METRICS / name, figure)


if __name__ == "__main__":
    run_script(main)
