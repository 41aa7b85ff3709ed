"""A table with a row per judged list, and results by slice.

A row has the AP of every model and properties of the lists of ALS and the hybrid. Slices are by
activity, by each column of the users, and by popularity of items.
"""

from core import metrics
from core.candidate_lists import CandidateListParams
from core.history import load_fold

import numpy as np
import pandas as pd
import pyarrow as pa

from evaluation.bootstrap import Interval, intervals
from evaluation.judged import als_lists_and_counts, judge, recommended_lists
from evaluation.results import by_activity

MOST_LEVELS = 8  # levels of a column; smaller categories are merged, numbers cut into quarters


def list_table(
    fold: str,
    user_ids: pa.ChunkedArray,
    item_ids: pa.ChunkedArray,
    vectors: np.ndarray,
    candidates: CandidateListParams,
    k: int,
    seed: int,
) -> pd.DataFrame:
    """Return the lists of a fold by user.

    Columns: fold; user, a row of users.parquet; is_cold, n_positives (in the history), n_relevant,
    n_found (relevant items among the candidates); ap_MODEL, ndcg_MODEL; for MODEL als and hybrid:
    popular_MODEL and tail_MODEL, the AP for relevant items in the popular tenth of the catalogue,
    and for all others, NaN without such items; popularity_MODEL and diversity_MODEL.

    vectors  for every row of items.parquet, see judge()
    """
    history, target = load_fold(fold, candidates, seed)
    als, counts = als_lists_and_counts(fold, target, k)
    lists = {"als": als, "hybrid": recommended_lists(fold, user_ids, item_ids)}
    judged = judge(history, target, lists, [], counts, k, vectors[history.items])
    columns = {"fold": fold, "user": judged.user}
    columns |= {"n_positives": judged.n_positives, "n_found": judged.n_found}
    n_tail = judged.n_relevant - judged.n_popular
    for name in lists:
        popular = judged.popular_hits[name]
        tail = judged.hits[name] & ~popular
        with np.errstate(invalid="ignore"):  # NaN for lists without a relevant item of the group
            columns[f"popular_{name}"] = metrics.average_precision(popular, judged.n_popular)
            columns[f"tail_{name}"] = metrics.average_precision(tail, n_tail)
        columns[f"popularity_{name}"] = judged.popularity[name]
        columns[f"diversity_{name}"] = judged.diversity[name]
    of_models = pd.read_parquet(f"data/per_user/{fold}.parquet").drop(columns="user_id")
    return pd.concat([pd.DataFrame(columns), of_models], axis=1)


def slices_of(
    lists: pd.DataFrame, users: pd.DataFrame, n_resamples: int, seed: int, n_threads: int
) -> dict[tuple[str, str], Interval]:
    """Return the paired gain of the hybrid over ALS by slice: (dimension, level) -> interval.

    lists  the result of list_table; users  the features of users.parquet, one row per user
    """
    gain = (lists["ap_hybrid"] - lists["ap_als"]).to_numpy()
    dimensions = {"positives in the history": by_activity(lists["n_positives"].to_numpy())}
    for name, values in users.items():
        of_column = levels(values.take(lists["user"].to_numpy()))
        if len(of_column) > 1:
            dimensions[name.replace("_", " ")] = of_column
    columns = {
        (dimension, level): np.where(is_in, gain, np.nan)
        for dimension, of in dimensions.items()
        for level, is_in in of.items()
    }
    for level, prefix in (("most popular tenth", "popular"), ("all others", "tail")):
        of_items = (lists[f"{prefix}_hybrid"] - lists[f"{prefix}_als"]).to_numpy()
        columns["popularity of the item", level] = of_items
    return intervals(columns, lists["user"].to_numpy(), n_resamples, seed, n_threads)


def levels(values: pd.Series) -> dict[str, np.ndarray]:
    """Return the levels of a column: name -> bool (n,).

    Numbers with many values are cut into quarters. Of many categories, only the largest are levels.
    """
    is_number = pd.api.types.is_numeric_dtype(values)
    is_cut = is_number and values.nunique() > MOST_LEVELS
    if is_cut:
        quarters = pd.qcut(values, 4, duplicates="drop")
        values = quarters.map(lambda one: one.right, na_action="ignore").astype(float)
    prefix = "up to " if is_cut else ""
    kept = sorted(values.value_counts().index[:MOST_LEVELS])
    masks = {f"{prefix}{one:g}" if is_number else str(one): values == one for one in kept}
    masks["all others"] = values.notna() & ~values.isin(kept)
    masks["unknown"] = values.isna()
    return {name: of.to_numpy() for name, of in masks.items() if of.any()}
