"""Writes one page on the whole run: a file that opens offline, for people who were not there.

usage: python stages/report.py
in:    metrics/validation.json, metrics/test.json, metrics/baselines.json, metrics/windows.csv,
       metrics/by_k/validation.csv, metrics/by_k/test.csv, metrics/feature_gain.csv,
       metrics/learning_curve.csv; data/split/windows.csv, data/split/interactions.parquet,
       data/users.parquet, data/items.parquet, data/item_titles.parquet, data/item_embeddings.npy;
       for each judged FOLD: data/split/folds/FOLD.json, data/candidates/FOLD.parquet,
       data/recommendations/FOLD.parquet, data/per_user/FOLD.parquet; for the fold validation, whose
       ranker and users are looked into: data/als/validation.npz, data/ranker,
       data/item_tags.npz, data/split/channels.parquet
out:   metrics/report.html: the verdict, gains by window, models, slices, the ranker, the data, six
       users, diagnostics. No script, nothing loaded, the same bytes for the same results
"""

from pathlib import Path

from harness.params import SharedParams, kind_of, section, shared_params
from harness.script import run_script, whole

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.figures import from_json
from evaluation.judge import als_lists_and_counts, recommended_lists
from evaluation.top_lists import EvaluateParams
from families import FeaturesParams
from findings import explanation, ranked_lists, ranker_use, samples
from findings.diagnostics import Facts, diagnose
from findings.intervals import Interval, intervals
from findings.list_table import SHOWN, list_table
from findings.slices import Slice, slices_of
from folds import tables
from folds.history import WINDOWS, load_fold, target_window
from folds.similarity import normalised
from page import sections, users
from page.document import document, paragraph
from page.markup import Html, join
from readers import DataParams

REPORT = Path("metrics/report.html")
KINDS = ("validation", "test")
FOLD = "validation"  # whose ranker and users are looked into
N_LISTS = 200  # whose candidates are scored; more would tell little more, and take longer


def read_json(name: str) -> dict:
    return from_json(Path(f"metrics/{name}.json").read_text(encoding="utf-8"))


def with_differences(lists: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns whose means are shown: AP of every model, what the hybrid gains over each, and
    popularity and diversity with their differences.
    """
    names = [name for name in lists.columns if name.startswith("ap_")]
    names += [f"{of}_{model}" for of in ("popularity", "diversity") for model in SHOWN]
    columns = {name: lists[name].to_numpy(dtype=np.float64) for name in names}
    for name in names:
        if name.startswith("ap_") and name not in ("ap_hybrid", "ap_ceiling"):
            columns[f"gain over {name[3:]}"] = columns["ap_hybrid"] - columns[name]
    for of in ("popularity", "diversity"):
        columns[f"{of}_difference"] = columns[f"{of}_hybrid"] - columns[f"{of}_als"]
    return columns


def of_prefix(found: dict[str, Interval], prefix: str) -> dict[str, Interval]:
    return {
        name.removeprefix(prefix): one for name, one in found.items() if name.startswith(prefix)
    }


def gains_over(found: dict[str, Interval], summary: dict, k: int) -> dict[str, Interval]:
    """The hybrid's gain over each model. Of the two that evaluate judges too, it is evaluate's, so
    that the page has one interval for one gain.
    """
    best = summary["uplift_over_best_baseline"]["name"]
    return of_prefix(found, "gain over ") | {
        "als": sections.gain_of(summary, f"map@{k}"),
        best: sections.gain_of(summary, f"map@{k}", "uplift_over_best_baseline"),
    }


def inside_the_ranker(
    lists: pd.DataFrame, item_ids: pa.ChunkedArray, user_ids: pa.ChunkedArray, k: int
) -> dict[str, Html]:
    """The sections `ranker`, `reliability` and `users`, of the fold validation."""
    shared = shared_params()
    params = section("features", FeaturesParams)
    n_resamples = section("evaluate", EvaluateParams).n_resamples
    own = lists[(lists["fold"] == FOLD) & ~lists["is_cold"]]
    history, target = load_fold(FOLD)
    drawn = ranked_lists.drawn_users(target, history, N_LISTS, shared.seed)
    if not len(own):
        nothing = paragraph(f"The fold {FOLD} has no list of a warm user: the ranker ranks none.")
        return dict.fromkeys(("ranker", "reliability", "users"), nothing)
    gain = (own["ap_hybrid"] - own["ap_als"]).to_numpy()
    chosen = own.iloc[samples.sample_rows(gain, shared.seed)]
    ranker, users_ = explanation.load(FOLD), np.union1d(drawn, chosen["user"])
    seen = ranked_lists.ranked_lists(
        FOLD, history, target, users_, ranker, params, shared.n_threads
    )
    sampled = seen.take(np.isin(seen.user, drawn))
    top = {
        "als": als_lists_and_counts(FOLD, target, k)[0],
        "hybrid": recommended_lists(FOLD, user_ids, item_ids),
    }
    feature_gain = pd.read_csv("metrics/feature_gain.csv")
    titles = pq.read_table(tables.TITLES)
    name_of = titles["title"] if titles.num_columns else item_ids
    points = None
    if ranker.has_probability:
        points = ranker_use.calibration(sampled, n_resamples, shared.seed)
    return {
        "ranker": sections.ranker(
            feature_gain,
            ranker_use.family_gain(feature_gain, seen.family_of),
            ranker_use.family_contributions(sampled, ranker, shared.n_threads),
            pd.read_csv("metrics/learning_curve.csv"),
        ),
        "reliability": sections.reliability(points, len(sampled.group), len(sampled.user)),
        "users": users.users(
            samples.samples(chosen, history, target, seen, ranker, top, shared.n_threads),
            gain,
            lambda item: str(name_of[item].as_py()),
            lambda user: str(user_ids[user].as_py()),
            k,
        ),
    }


def kinds_of_windows(shared: SharedParams, n_windows: int) -> list[str]:
    """What each window is for: test, validation, label or history."""
    kinds = ["history"] * n_windows
    for fold in shared.folds:
        kinds[target_window(fold)] = kind_of(fold)
    return kinds


def facts(summary: dict[str, dict], found: list[Slice], k: int) -> Facts:
    return Facts(
        summary,
        read_json("baselines"),
        pd.read_csv("metrics/windows.csv"),
        pd.read_csv("metrics/learning_curve.csv"),
        found,
        k,
    )


def main() -> None:
    shared = shared_params()
    data = section("data", DataParams)
    params = section("evaluate", EvaluateParams)
    k, resampling = params.k, (params.n_resamples, shared.seed)
    user_table = pq.read_table(tables.USERS)
    item_ids = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"]
    vectors = normalised(np.load(tables.EMBEDDINGS))
    lists = {
        kind: pd.concat(
            [
                list_table(fold, user_table["user_id"], item_ids, vectors, k)
                for fold in shared.of_kind(kind)
            ],
            ignore_index=True,
        )
        for kind in KINDS
    }
    found = {
        kind: intervals(with_differences(of).items(), of["user"].to_numpy(), *resampling)
        for kind, of in lists.items()
    }
    features = user_table.drop_columns("user_id").to_pandas()
    by_slice = slices_of(lists["validation"], features, *resampling)
    summary = {kind: read_json(kind) for kind in KINDS}
    outcomes = diagnose(facts(summary, by_slice, k))
    window_table = pd.read_csv(WINDOWS)
    inside = inside_the_ranker(lists["validation"], item_ids, user_table["user_id"], k)
    n_windows = {kind: len(shared.of_kind(kind)) for kind in KINDS}
    text = document(
        f"Recommendations of {data.source}: the hybrid against ALS",
        sections.head(data.source, data.positive, summary, n_windows, outcomes, k),
        {
            "windows": (
                "Gain by window",
                sections.gains(pd.read_csv("metrics/windows.csv"), summary, k),
            ),
            "models": (
                "All models",
                sections.models(
                    {kind: of_prefix(of, "ap_") for kind, of in found.items()},
                    {kind: gains_over(of, summary[kind], k) for kind, of in found.items()},
                    k,
                ),
            ),
            "by-k": (
                "By length of the list",
                sections.by_k({kind: pd.read_csv(f"metrics/by_k/{kind}.csv") for kind in KINDS}),
            ),
            "slices": ("For whom", sections.slices(by_slice, k)),
            "ranker": ("What the ranker uses", inside["ranker"]),
            "reliability": ("Is the score a probability?", inside["reliability"]),
            "data": (
                "The data",
                sections.windows(window_table, kinds_of_windows(shared, len(window_table))),
            ),
            "lists": (
                "What the lists are like",
                sections.beyond_accuracy(
                    found,
                    {
                        kind: {model: of[model][f"coverage@{k}"] for model in SHOWN}
                        for kind, of in summary.items()
                    },
                    k,
                ),
            ),
            "users": ("Six users", inside["users"]),
            "diagnostics": ("Diagnostics", sections.diagnostics(outcomes)),
        },
        join(
            "Written by stages/report.py. The same results give the same bytes. The figures stand "
            "in metrics/ and data/per_user; metrics/README.md says what they mean."
        ),
    )
    with whole(REPORT) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
