"""Writes a page on the whole run, in one HTML file that opens offline.

usage: python stages/report.py
in:    metrics/validation.json, metrics/test.json, metrics/baselines.json, metrics/windows.csv,
       metrics/tables, data/als, data/tables, data/split; for each judged FOLD:
       data/candidates/FOLD.parquet, data/recommendations/FOLD.parquet, data/per_user/FOLD.parquet;
       for the fold validation, whose ranker and users are shown: data/ranker
out:   metrics/report.html: verdict, gains by window, models, slices, ranker, data, six users and
       diagnostics. The page has no scripts and loads nothing. The same results give the same bytes
"""

from pathlib import Path

from core import factors, folds, tables
from core.candidate_lists import CandidateListParams
from core.history import WINDOWS, draw_users, load_fold
from core.params import SharedParams, kind_of, section, shared_params
from core.products import normalised
from core.script import report, run_script
from core.top_lists import EvaluateParams

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from evaluation.bootstrap import intervals
from evaluation.results import read_json
from reporting import ranker, sections, users
from reporting.diagnostics import Facts, diagnose
from reporting.list_table import list_table, slices_of
from reporting.page import Html, document, join, paragraph
from reporting.published import published
from reporting.sections import KINDS

REPORT = Path("metrics/report.html")
FOLD = "validation"  # fold whose ranker and users are shown
N_USERS = 40  # number of users whose candidates are used for contributions of features
MOST_RESAMPLES = 1_000  # maximum for intervals that only this page shows


class SourceParams(BaseModel):
    """The keys of the section `data` that the page shows."""

    source: str
    positive: str
    subsample: str


def read_csv(name: str) -> pd.DataFrame:
    return pd.read_csv(f"metrics/{name}.csv")


def differences(lists: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return AP of the hybrid minus AP of each model, and popularity and diversity minus ALS's."""
    models = [name[3:] for name in lists.columns if name.startswith("ap_") and name != "ap_hybrid"]
    columns = {name: lists["ap_hybrid"] - lists[f"ap_{name}"] for name in models}
    for of in ("popularity", "diversity"):
        columns[of] = lists[f"{of}_hybrid"] - lists[f"{of}_als"]
    return {name: column.to_numpy(dtype=np.float64) for name, column in columns.items()}


def inside_the_ranker(
    lists: pd.DataFrame,
    item_ids: pa.ChunkedArray,
    user_ids: pa.ChunkedArray,
    candidates: CandidateListParams,
    k: int,
    shared: SharedParams,
) -> tuple[Html, Html]:
    """Return the sections on the ranker and on sample users, for the fold validation."""
    own = lists[(lists["fold"] == FOLD) & ~lists["is_cold"]]
    if not len(own):
        nothing = paragraph(f"No warm user has a list in the fold {FOLD}.")
        return nothing, nothing
    history, target = load_fold(FOLD, candidates, shared.seed)
    gain = (own["ap_hybrid"] - own["ap_als"]).to_numpy()
    chosen = own.iloc[users.sample_rows(gain, shared.seed)]
    drawn = draw_users(own["user"].to_numpy(), N_USERS, shared.seed)
    ranked = ranker.ranked_lists(FOLD, history, np.union1d(drawn, chosen["user"]), shared.n_threads)
    titles = pq.read_table(tables.TITLES)
    names = titles["title"] if titles.num_columns else item_ids

    def title_of(item: int) -> str:
        return str(names[int(item)].as_py())

    samples = [
        users.sample(row, history, target, ranked, title_of, str(user_ids[row.user].as_py()), k)
        for row in chosen.itertuples()
    ]
    of_ranker = sections.ranker(
        read_csv("tables/feature_gain"),
        ranker.family_contributions(ranked, drawn),
        read_csv("tables/learning_curve"),
    )
    return of_ranker, join(users.introduction(gain, k), *samples)


def main() -> None:
    shared = shared_params()
    data = section("data", SourceParams)
    params = section("evaluate", EvaluateParams)
    candidates = section("candidates", CandidateListParams)
    k, known = params.k, folds.load()
    resampling = (min(params.n_resamples, MOST_RESAMPLES), shared.seed, shared.n_threads)
    user_table = pq.read_table(tables.USERS)
    user_ids = user_table["user_id"]
    item_ids = pq.read_table(tables.ITEMS, columns=["item_id"])["item_id"]
    vectors = normalised(np.load(tables.EMBEDDINGS))
    summary = {kind: read_json(f"metrics/{kind}.json") for kind in KINDS}
    baselines, windows = read_json("metrics/baselines.json"), read_csv("windows")
    lists, gains = {}, {}
    for kind, of in summary.items():
        own = [
            list_table(fold, user_ids, item_ids, vectors, candidates, k, shared.seed)
            for fold in known.of_kind(kind)
        ]
        lists[kind] = pd.concat(own, ignore_index=True)
        columns = differences(lists[kind])
        gains[kind] = intervals(columns, lists[kind]["user"].to_numpy(), *resampling)
        best = of["uplift_over_best_baseline"]["name"]
        gains[kind]["als"] = sections.gain_of(of, f"map@{k}")
        gains[kind][best] = sections.gain_of(of, f"map@{k}", "uplift_over_best_baseline")
    features = user_table.drop_columns("user_id").to_pandas()
    by_slice = slices_of(lists["validation"], features, *resampling)
    counts, curve = pd.read_csv(WINDOWS), read_csv("tables/learning_curve")
    ages = read_csv("tables/item_age")
    energy = max(
        factors.energy_share(factors.load(fold).item_factors)
        for fold in known.of_kind("validation")
    )
    outcomes = diagnose(Facts(summary, baselines, windows, counts, curve, ages, energy, k))
    if found := [code for code, one in outcomes.items() if one.is_problem]:
        report(f"{REPORT} describes {len(found)} problem(s): {', '.join(found)}")
    of_ranker, of_users = inside_the_ranker(
        lists["validation"], item_ids, user_ids, candidates, k, shared
    )
    curves = {kind: read_csv(f"tables/by_k_{kind}") for kind in KINDS}
    use_of = {window: kind_of(fold) for fold, window in known.windows.items()}
    uses = [use_of.get(window, "history") for window in range(len(counts))]
    n_windows = {kind: len(known.of_kind(kind)) for kind in KINDS}
    of_data = f"{data.source}, relevant means {data.positive}"
    if candidates.judged_users:
        of_data += f", at most {candidates.judged_users:,} users drawn from each window"
    judged = pd.concat(lists.values(), ignore_index=True)
    known_figures = published(data.subsample, data.positive, k, known.windows, len(counts), judged)
    text = document(
        f"Recommendations of {data.source}: the hybrid against ALS",
        sections.head(of_data, summary, n_windows, outcomes, k),
        {
            "Gain by window": sections.gains(windows, summary, k),
            "All models": sections.models(summary, baselines, gains, k),
            **({"Published figures": known_figures} if known_figures else {}),
            "By length of the list": sections.by_k(curves),
            "For whom": join(sections.slices(by_slice, k), sections.item_age(ages)),
            "What the ranker uses": of_ranker,
            "The data": sections.windows(counts, uses),
            "What the lists are like": sections.beyond_accuracy(gains, summary, k),
            "Six users": of_users,
            "Diagnostics": sections.diagnostics(outcomes),
        },
        "Written by stages/report.py. The same results give the same bytes. The numbers are in "
        "metrics/ and data/per_user; metrics/README.md explains them.",
    )
    tables.write_utf8(REPORT, text)


if __name__ == "__main__":
    run_script(main)
