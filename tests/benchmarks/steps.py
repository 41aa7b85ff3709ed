"""Times the steps of the notebook's way and the pipeline's against each other, and holds their
results against each other too.

Works on what the last `dvc repro` left in data/, in the repository's top folder. Judged is the fold
validation: ALS names 100 unseen items for every user of its history.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.params import SharedParams, section, shared_params

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

import candidates
import notebook_way
import ranker
import recommend
from boosting import examples, training
from boosting.examples import Examples
from evaluation import metrics, top_lists
from families import (
    FeatureMatrix,
    FeaturesParams,
    families_of,
    feature_matrix,
    load_context,
    rows_of,
)
from families.columns import codes
from folds import candidate_lists
from folds.candidate_lists import CandidateListParams, Candidates
from folds.history import INTERACTIONS, History, cut, history_of, load_fold, target_window
from retrieval import Inputs, SourcesParams, fit

FOLD = "validation"
N_CANDIDATES, K = 100, 10


@dataclass(frozen=True)
class Step:
    """The same step twice: each function takes nothing and returns what `agree` compares; agree
    raises AssertionError where the results differ.
    """

    name: str
    notebook: Callable[[], object]
    pipeline: Callable[[], object]
    agree: Callable[[object, object], None]
    is_fit: bool = False


def timed(function: Callable[[], object]) -> tuple[float, object]:
    """Wall seconds, and the result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def compare(steps: list[Step], n_repeats: int) -> pd.DataFrame:
    """Median seconds of both ways, in alternating order, and how many times the notebook's way
    takes the pipeline's time.
    """
    rows = []
    for step in steps:
        seconds = {"notebook": [], "pipeline": []}
        for _ in range(n_repeats):
            results = {}
            for way in seconds:
                took, results[way] = timed(getattr(step, way))
                seconds[way].append(took)
            step.agree(results["notebook"], results["pipeline"])
        medians = {way: float(np.median(values)) for way, values in seconds.items()}
        rows.append((step.name, step.is_fit, *medians.values()))
    frame = pd.DataFrame(rows, columns=["step", "is_fit", "notebook_s", "pipeline_s"])
    total = frame[~frame["is_fit"]][["notebook_s", "pipeline_s"]].sum()
    frame.loc[len(frame)] = ("all but the fits", False, *total)
    frame["ratio"] = frame["notebook_s"] / frame["pipeline_s"]
    return frame


def steps(n_candidates: int = N_CANDIDATES) -> list[Step]:
    """The steps between the fits, on the files in data/."""
    shared = shared_params()
    table = pq.read_table(INTERACTIONS)
    window = target_window(FOLD)
    history, target = load_fold(FOLD)
    context = load_context(FOLD, history, section("features", FeaturesParams))
    families = families_of(context, ["als", "user", "item", "embedding"])  # the notebook's
    inputs = Inputs(history, context.embeddings, shared.n_threads, context.factors)
    als = {"als": fit("als", inputs, section("sources", SourcesParams))}

    # what a notebook would hold in memory, numbered as the history is
    rows, _ = cut([table], table.num_rows, window)
    known = pd.DataFrame(rows)
    pairs_of = known.groupby(["user", "item"], sort=False)
    known = known.assign(is_positive=pairs_of["is_positive"].transform("any"))
    known = known[~known["is_repeat"]]
    users = context.users.assign(user=np.arange(history.n_users))
    items = context.items.assign(item=np.arange(history.n_items))
    embeddings = pd.DataFrame(
        {"item": np.arange(history.n_items), "embedding": list(context.embeddings)}
    )
    model = AlternatingLeastSquares(factors=context.factors.user_factors.shape[1])
    model.user_factors = context.factors.user_factors
    model.item_factors = context.factors.item_factors
    seen = sparse.csr_matrix(history.exposures)
    warm = history.users[history.n_positives > 0]
    is_warm = history.n_positives_of(target.user) > 0
    item = history.item_of(target.item)
    item = np.where(item < 0, -1 - target.item, item)  # of items that the history does not know
    relevant: dict[int, set[int]] = {}
    for user, liked in zip(history.user_of(target.user)[is_warm], item[is_warm], strict=True):
        relevant.setdefault(int(user), set()).add(int(liked))
    relevant_pairs = {(u, i) for u, liked in relevant.items() for i in liked}
    judged = np.array(sorted(relevant), dtype=np.int32)

    def retrieved() -> Candidates:
        return candidates.lists_of(history, als, als["als"], warm, n_candidates)

    lists = retrieved()
    own = rows_of(lists, history)
    pairs = pd.DataFrame(
        {
            "user": own.user,
            "item": own.item,
            "als_score": lists.score["als"],
            "als_rank": lists.rank["als"],
        }
    )
    scored = pairs[["user", "item"]].assign(score=pairs["als_score"])

    def pipeline_features() -> list[FeatureMatrix]:
        return [
            feature_matrix(families, rows_of(block, history))
            for block in candidate_lists.split(lists, recommend.ROWS_AT_ONCE)
        ]

    def pipeline_map() -> float:
        top = top_lists.top_k(lists.user, lists.item, lists.score["als"], K)
        hits = top.hits(target, history.users[judged], K)
        n_relevant = np.bincount(target.user, minlength=history.users.max() + 1)
        return float(metrics.average_precision(hits, n_relevant[history.users[judged]]).mean())

    return [
        Step(
            "matrix: itertuples / arrays",
            lambda: notebook_way.user_item_matrix(known[["user", "item", "is_positive"]]),
            lambda: history_of(rows, window).positives,
            lambda ours, theirs: same_matrix(ours, theirs, history),
        ),
        Step(
            "candidates: recommend a user at a time / all users",
            lambda: notebook_way.candidates(model, seen, n_candidates),
            retrieved,
            lambda frame, made: same_candidates(frame[frame["user"].isin(own.user)], made, history),
        ),
        Step(
            "labels: apply / search",
            lambda: notebook_way.labels(pairs, relevant_pairs),
            lambda: target.strength_of(lists.user, lists.item),
            lambda ours, theirs: np.testing.assert_array_equal(ours.to_numpy() > 0, theirs > 0),
        ),
        Step(
            "features: merges and an expanded list / families",
            lambda: notebook_way.features(pairs, users, items, embeddings),
            pipeline_features,
            same_features,
        ),
        Step(
            "MAP@10: groupby loop / arrays",
            lambda: notebook_way.mean_average_precision(scored, relevant, K),
            pipeline_map,
            lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-12),
        ),
    ]


def same_matrix(
    ours: tuple[sparse.csr_matrix, dict, dict], theirs: sparse.csr_array, history: History
) -> None:
    """The notebook numbers users and items as they come."""
    matrix, users, items = ours
    user = np.searchsorted(history.users, list(users))
    item = np.searchsorted(history.items, list(items))
    found = matrix.tocoo()
    again = sparse.csr_matrix((found.data, (user[found.row], item[found.col])), shape=theirs.shape)
    assert (again != sparse.csr_matrix(theirs)).nnz == 0


def same_candidates(frame: pd.DataFrame, made: Candidates, history: History) -> None:
    """The same items, but for neighbours of equal score; `recommend` fills up with seen items, at
    the lowest score there is.
    """
    frame = frame[frame["als_score"] > np.finfo(np.float32).min / 2]
    np.testing.assert_array_equal(frame["user"], history.user_of(made.user))
    np.testing.assert_allclose(frame["als_score"], made.score["als"], rtol=1e-4, atol=1e-6)


def same_features(frame: pd.DataFrame, blocks: list[FeatureMatrix]) -> None:
    """Every column of the notebook, under the pipeline's names."""
    values = np.concatenate([block.values for block in blocks])
    column = {name: values[:, number] for number, name in enumerate(blocks[0].names)}
    assert "als_score" in frame
    assert any(name.startswith("embedding_") for name in frame)
    for name in frame.columns.difference(["user", "item"]):
        ours = codes(frame[name])
        theirs = next(
            column[known] for known in (name, f"user_{name}", f"item_{name}") if known in column
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5, err_msg=name)


# --- the ranker's fit


def every_list(fold: str, shared: SharedParams) -> Examples:
    """The examples of a fold as a notebook has them: of every warm user of the target window, with
    and without a relevant item, the features as in features.groups.
    """
    history, target = load_fold(fold)
    params = section("features", FeaturesParams)
    context = load_context(fold, history, params)
    inputs = Inputs(
        history, context.embeddings, shared.n_threads, context.factors, tags=context.tags
    )
    generation = section("candidates", CandidateListParams)
    settings = section("sources", SourcesParams)
    sources = {name: fit(name, inputs, settings) for name in generation.sources}
    fallback = fit("recent_popular", inputs, settings)
    users = target.users[history.n_positives_of(target.users) > 0]
    lists = candidates.lists_of(history, sources, fallback, users, generation.per_source)
    features = feature_matrix(families_of(context, params.groups), rows_of(lists, history))
    n_relevant = np.bincount(target.user, minlength=int(users.max()) + 1)[lists.user]
    return Examples(
        lists.user,
        lists.item,
        target.strength_of(lists.user, lists.item),
        n_relevant.astype(np.int32),
        features.values,
        features.names,
        features.categorical,
    )


def ranker_fit(n_repeats: int) -> tuple[pd.DataFrame, dict[str, float]]:
    """The fit of the rankers of the fold validation both ways, and the MAP@10 of both on its lists
    with a relevant item.
    """
    shared = shared_params()
    params = section("ranker", training.RankerParams)
    earlier = shared.before(FOLD, params.train_folds)
    judged = examples.read(FOLD, "warm")
    naive = [every_list(fold, shared) for fold in earlier]
    frame = pd.DataFrame(
        np.concatenate([examples.values for examples in naive]), columns=naive[0].names
    )
    frame = frame.astype(dict.fromkeys(naive[0].categorical, "category"))
    label = np.concatenate([examples.label for examples in naive])
    names = "n_estimators learning_rate num_leaves min_data_in_leaf feature_fraction lambda_l2"
    settings = {name: getattr(params, name) for name in names.split()}
    settings["n_jobs"] = shared.n_threads
    loaded = [examples.read(fold, "warm") for fold in earlier]

    def pipeline() -> list:
        sampled = [
            training.sample_negatives(examples, params.negatives, shared.seed)
            for examples in loaded
        ]
        data = training.dataset(sampled, params, shared)
        return training.train(data, params, shared, params.n_seeds)

    scores = {}

    def score(models: list, way: str) -> None:
        boosters = [getattr(model, "booster_", model) for model in models]
        raw = np.mean([b.predict(judged.values, raw_score=True) for b in boosters], axis=0)
        scores[way] = ranker.mean_average_precision(judged, raw)

    def agree(ours: list, theirs: list) -> None:
        score(ours, "notebook")
        score(theirs, "pipeline")

    step = Step(
        f"ranker, {params.n_seeds} fits: every row / rows that teach, one Dataset",
        lambda: notebook_way.rankers(frame, label, settings, params.n_seeds, shared.seed),
        pipeline,
        agree,
        is_fit=True,
    )
    return compare([step], n_repeats).iloc[:1], scores
