"""Writes a page on the whole run, in one HTML file that opens offline.

usage: python stages/report.py
in:    metrics/validation.json, metrics/test.json, metrics/baselines.json, metrics/windows.csv,
       metrics/tables, data/als, data/tables, data/split; data/per_user/FOLD.parquet for each judged
       FOLD; for the fold validation, whose ranker and users are shown:
       data/candidates/validation.parquet, data/ranker
out:   metrics/report.html: verdict, gains by window, models, slices, ranker, data, six users and
       diagnostics. The page has no scripts and loads nothing. The same results give the same bytes
"""

from pathlib import Path

from core import factors, folds, tables
from core.candidate_lists import CandidateListParams
from core.history import WINDOWS, draw_users, load_fold
from core.params import SharedParams, kind_of, section, shared_params
from core.script import report, run_script
from core.top_lists import EvaluateParams

import pandas as pd
import pyarrow.parquet as pq
from pydantic import BaseModel

from evaluation.bootstrap import Interval, intervals
from evaluation.pictures import forest, gain_of, gain_rows
from evaluation.results import read_json
from reporting import sections, users
from reporting.diagnostics import Facts, diagnose
from reporting.page import Html, document, figure, join, paragraph
from reporting.published import published
from reporting.sections import KINDS, slices_of

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


def gains_of(
    lists: pd.DataFrame, summary: dict, baselines: dict, k: int, resampling: tuple[int, int, int]
) -> dict[str, Interval]:
    """Return the gain in AP over each model, and over ALS in popularity and diversity.

    summary, baselines  metrics of the kind of folds that the lists belong to
    """
    columns = {name: lists["ap_hybrid"] - lists[f"ap_{name}"] for name in baselines}
    for measure in ("popularity", "diversity"):
        columns[measure] = lists[f"{measure}_hybrid"] - lists[f"{measure}_als"]
    best = summary["uplift_over_best_baseline"]["name"]
    return intervals(columns, lists["user"].to_numpy(), *resampling) | {
        "als": gain_of(summary, k),
        best: gain_of(summary, k, "uplift_over_best_baseline"),
    }


def inside_the_ranker(
    lists: pd.DataFrame, candidates: CandidateListParams, k: int, shared: SharedParams
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
    ranked = users.ranked_lists(FOLD, history, [*drawn, *chosen["user"]], shared.n_threads)
    titles = pq.read_table(tables.TITLES)
    names = titles["title"] if titles.num_columns else pq.read_table(tables.ITEMS)["item_id"]
    names = [str(name) for name in names.to_pylist()]
    samples = [users.sample(row, history, target, ranked, names, k) for row in chosen.itertuples()]
    of_ranker = sections.ranker(
        read_csv("tables/feature_gain"),
        users.family_contributions(ranked, drawn),
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
    summary = {kind: read_json(f"metrics/{kind}.json") for kind in KINDS}
    baselines, windows = read_json("metrics/baselines.json"), read_csv("windows")
    features = pq.read_table(tables.USERS).to_pandas().set_index("user_id")
    of_folds = [pd.read_parquet(f"data/per_user/{one}.parquet") for one in known.judged]
    judged = pd.concat(of_folds, keys=known.judged, names=["fold"]).reset_index("fold")
    judged["user"] = features.index.get_indexer(judged["user_id"])
    lists = {kind: judged[judged["fold"].isin(known.of_kind(kind))] for kind in KINDS}
    gains = {
        kind: gains_of(lists[kind], summary[kind], baselines[kind], k, resampling) for kind in KINDS
    }
    by_slice = slices_of(lists["validation"], features, *resampling)
    counts, curve = pd.read_csv(WINDOWS), read_csv("tables/learning_curve")
    ages = read_csv("tables/item_age")
    energy = max(
        factors.energy_share(factors.load(factors.FOLDER / f"{fold}.npz").item_factors)
        for fold in known.of_kind("validation")
    )
    outcomes = diagnose(Facts(summary, baselines, windows, counts, curve, ages, energy, k))
    if found := [code for code, (is_problem, _) in outcomes.items() if is_problem]:
        report(f"{REPORT} describes {len(found)} problem(s): {', '.join(found)}")
    of_ranker, of_users = inside_the_ranker(lists["validation"], candidates, k, shared)
    curves = {kind: read_csv(f"tables/by_k_{kind}") for kind in KINDS}
    use_of = {window: kind_of(fold) for fold, window in known.windows.items()}
    uses = [use_of.get(window, "history") for window in range(len(counts))]
    n_windows = {kind: len(known.of_kind(kind)) for kind in KINDS}
    of_data = f"{data.source}, relevant means {data.positive}"
    if candidates.judged_users:
        of_data += f", at most {candidates.judged_users:,} users drawn from each window"
    known_figures = published(data.subsample, data.positive, k, known.windows, judged)
    by_window = forest(gain_rows(windows, summary, k), f"gain in MAP@{k}")
    text = document(
        f"Recommendations of {data.source}: the hybrid against ALS",
        sections.head(of_data, summary, n_windows, outcomes, k),
        {
            "Gain by window": figure("Gain of the hybrid over ALS", *by_window),
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
