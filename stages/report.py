"""Writes one page on the whole run, for people who were not there: a file that opens offline.

usage: python stages/report.py
in:    metrics/validation.json, metrics/test.json, metrics/baselines.json, metrics/windows.csv,
       metrics/tables, data/tables, data/split; for each judged FOLD:
       data/candidates/FOLD.parquet, data/recommendations/FOLD.parquet, data/per_user/FOLD.parquet;
       for the fold validation, whose ranker and users are shown: data/ranker
out:   metrics/report.html: the verdict, gains by window, models, slices, the ranker, the data, six
       users, diagnostics. No script, nothing loaded, the same bytes for the same results
"""

from pathlib import Path

from core import folds, tables
from core.history import WINDOWS, draw_users, load_fold
from core.params import kind_of, section, shared_params
from core.products import normalised
from core.script import report, run_script, whole
from core.top_lists import EvaluateParams

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.bootstrap import intervals
from evaluation.results import from_json
from readers import DataParams
from reporting import ranker, sections, users
from reporting.diagnostics import Facts, diagnose
from reporting.list_table import list_table
from reporting.page import Html, document, join, paragraph
from reporting.sections import KINDS
from reporting.slices import slices_of

REPORT = Path("metrics/report.html")
FOLD = "validation"  # its ranker and its users are examined
N_USERS = 40  # whose candidates are scored to see what the ranker uses
MOST_RESAMPLES = 1_000  # for intervals that only this page shows


def read_json(name: str) -> dict:
    return from_json(Path(f"metrics/{name}.json").read_text(encoding="utf-8"))


def read_csv(name: str) -> pd.DataFrame:
    return pd.read_csv(f"metrics/{name}.csv")


def maps_of(summary: dict, baselines: dict, k: int) -> dict[str, float]:
    """Return MAP@k of every model, and of the best order of the candidates."""
    models = {name: summary[name] for name in ("als", "hybrid")} | baselines
    maps = {name: of[f"map@{k}"] for name, of in models.items()}
    return maps | {"best order of the candidates": summary["candidates"][f"oracle_map@{k}"]}


def differences(lists: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the paired differences of the lists: AP of the hybrid minus that of each other model
    (by the model's name), popularity and diversity of the hybrid minus those of ALS.
    """
    models = [name[3:] for name in lists.columns if name.startswith("ap_") and name != "ap_hybrid"]
    columns = {name: lists["ap_hybrid"] - lists[f"ap_{name}"] for name in models}
    for of in ("popularity", "diversity"):
        columns[of] = lists[f"{of}_hybrid"] - lists[f"{of}_als"]
    return {name: column.to_numpy(dtype=np.float64) for name, column in columns.items()}


def inside_the_ranker(
    lists: pd.DataFrame, item_ids: pa.ChunkedArray, user_ids: pa.ChunkedArray, k: int
) -> tuple[Html, Html]:
    """Return the sections on the ranker and on sample users, for the fold validation."""
    shared = shared_params()
    own = lists[(lists["fold"] == FOLD) & ~lists["is_cold"]]
    if not len(own):
        nothing = paragraph(f"The fold {FOLD} has no list of a warm user: the ranker ranks none.")
        return nothing, nothing
    history, target = load_fold(FOLD)
    gain = (own["ap_hybrid"] - own["ap_als"]).to_numpy()
    chosen = own.iloc[users.sample_rows(gain, shared.seed)]
    drawn = draw_users(own["user"].to_numpy(), N_USERS, shared.seed)
    ranked = ranker.ranked_lists(FOLD, history, np.union1d(drawn, chosen["user"]), shared.n_threads)
    titles = pq.read_table(tables.TITLES)
    names = titles["title"] if titles.num_columns else item_ids
    samples = [
        users.sample(
            row,
            history,
            target,
            ranked,
            lambda item: str(names[int(item)].as_py()),
            str(user_ids[row.user].as_py()),
            k,
        )
        for row in chosen.itertuples()
    ]
    of_ranker = sections.ranker(
        read_csv("tables/feature_gain"),
        ranker.family_contributions(ranked, drawn),
        read_csv("tables/learning_curve"),
    )
    return of_ranker, join(users.introduction(gain, k), *samples)


def kinds_of_windows(n_windows: int) -> list[str]:
    """Return the use of each window: test, validation, label or history."""
    kinds = ["history"] * n_windows
    for fold, window in folds.load().windows.items():
        kinds[window] = kind_of(fold)
    return kinds


def main() -> None:
    shared = shared_params()
    data = section("data", DataParams)
    params = section("evaluate", EvaluateParams)
    k, known = params.k, folds.load()
    resampling = (min(params.n_resamples, MOST_RESAMPLES), shared.seed, shared.n_threads)
    user_table = pq.read_table(tables.USERS)
    user_ids = user_table["user_id"]
    item_ids = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"]
    vectors = normalised(np.load(tables.EMBEDDINGS))
    summary = {kind: read_json(kind) for kind in KINDS}
    baselines, windows = read_json("baselines"), read_csv("windows")
    lists, gains = {}, {}
    for kind, of in summary.items():
        own = [list_table(fold, user_ids, item_ids, vectors, k) for fold in known.of_kind(kind)]
        lists[kind] = pd.concat(own, ignore_index=True)
        columns = differences(lists[kind])
        gains[kind] = intervals(columns, lists[kind]["user"].to_numpy(), *resampling)
        best = of["uplift_over_best_baseline"]["name"]
        gains[kind]["als"] = sections.gain_of(of, f"map@{k}")
        gains[kind][best] = sections.gain_of(of, f"map@{k}", "uplift_over_best_baseline")
    features = user_table.drop_columns("user_id").to_pandas()
    by_slice = slices_of(lists["validation"], features, *resampling)
    counts, curve = pd.read_csv(WINDOWS), read_csv("tables/learning_curve")
    outcomes = diagnose(Facts(summary, baselines, windows, counts, curve, k))
    if found := [code for code, one in outcomes.items() if one.is_problem]:
        report(f"{REPORT} describes {len(found)} problem(s): {', '.join(found)}")
    of_ranker, of_users = inside_the_ranker(lists["validation"], item_ids, user_ids, k)
    maps = {kind: maps_of(summary[kind], baselines[kind], k) for kind in KINDS}
    curves = {kind: read_csv(f"tables/by_k_{kind}") for kind in KINDS}
    n_windows = {kind: len(known.of_kind(kind)) for kind in KINDS}
    of_data = f"{data.source}, relevant means {data.positive}"
    text = document(
        f"Recommendations of {data.source}: the hybrid against ALS",
        sections.head(of_data, summary, n_windows, outcomes, k),
        {
            "Gain by window": sections.gains(windows, summary, k),
            "All models": sections.models(maps, gains, k),
            "By length of the list": sections.by_k(curves),
            "For whom": sections.slices(by_slice, k),
            "What the ranker uses": of_ranker,
            "The data": sections.windows(counts, kinds_of_windows(len(counts))),
            "What the lists are like": sections.beyond_accuracy(lists, gains, summary, k),
            "Six users": of_users,
            "Diagnostics": sections.diagnostics(outcomes),
        },
        "Written by stages/report.py. The same results give the same bytes. The numbers are in "
        "metrics/ and data/per_user; metrics/README.md explains them.",
    )
    with whole(REPORT) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
