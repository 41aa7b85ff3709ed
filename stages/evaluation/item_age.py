"""Results by age of the item, which is its number of interactions in the history of the fold."""

from collections.abc import Mapping

from core import metrics
from core.history import History, Target
from core.params import kind_of
from core.top_lists import TopLists

import numpy as np
import pandas as pd

NEW = "new"
AGES = {NEW: (0, 0), "1 to 5 interactions": (1, 5), "6 or more interactions": (6, np.inf)}


def by_item_age(
    history: History, target: Target, models: Mapping[str, TopLists], k: int
) -> pd.DataFrame:
    """Return a row for each age and each list of a fold with a relevant item of this age.

    Only relevant items of this age count; ranks are those in the full list. Columns: age;
    n_relevant; for every model map_MODEL, which is AP@k with the denominator min(k, n_relevant),
    and recall_MODEL, which is hits / n_relevant.
    """
    counts = np.bincount(history.item, minlength=history.n_items)
    of_pair = np.append(counts, 0)[history.item_of(target.item)]  # -1 reads the 0 appended
    parts = []
    for age, (low, high) in AGES.items():
        rows = (of_pair >= low) & (of_pair <= high)
        own = Target(target.users, target.user[rows], target.item[rows], target.strength[rows])
        users, n_relevant = np.unique(own.user, return_counts=True)
        columns = {"age": age, "n_relevant": n_relevant}
        for name, lists in models.items():
            hits = lists.hits(own, users, k)
            columns[f"map_{name}"] = metrics.average_precision(hits, n_relevant)
            columns[f"recall_{name}"] = metrics.recall(hits, n_relevant)
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def item_age_table(of_folds: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the content of metrics/tables/item_age.csv from by_item_age of every judged fold.

    There is a row for each kind and age (fold is `all`), then for each fold and age. Metrics are
    means over lists, NaN without lists.
    """
    of_all = [of.assign(kind=kind_of(fold), fold=fold) for fold, of in of_folds.items()]
    pooled = [of.assign(fold="all") for of in of_all]
    rows = []
    for (kind, fold), lists in pd.concat([*pooled, *of_all]).groupby(["kind", "fold"], sort=False):
        for age in AGES:
            own = lists[lists["age"] == age].drop(columns=["age", "kind", "fold"])
            n_relevant = own.pop("n_relevant").sum()
            row = {"kind": kind, "fold": fold, "age": age, "n_lists": len(own)}
            row |= {"n_relevant": n_relevant, "share": n_relevant / lists["n_relevant"].sum()}
            rows.append(row | own.mean().to_dict())
    return pd.DataFrame(rows)
