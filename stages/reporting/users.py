"""The ranker of a judged fold for some users: contributions of features, and sample users.

A sample user is shown with the last positives, both lists, and why items moved.
"""

from dataclasses import dataclass

from core import candidate_lists
from core.history import History, Target

import numpy as np
import pandas as pd

from evaluation.pictures import signed
from families import families_of, feature_matrix, load_params
from families.context import load_context, rows_of
from rankers import trained
from rankers.trained import lgb
from reporting.page import Html, join, paragraph, tag

CONTENDERS = 10  # number of best candidates of each list whose contributions are averaged
N_SAMPLES, N_LAST, N_REASONS = 6, 5, 3
N_SHOWN = 10  # number of items of each list
FEWEST_PLACES = 3  # smallest move within the top k for which reasons are shown


@dataclass(frozen=True)
class RankedLists:
    """Candidate lists of warm users, and the models that rank them."""

    # user, item: rows of users.parquet and items.parquet; als, hybrid: rank, 0 if not retrieved
    rows: pd.DataFrame
    values: np.ndarray  # float32 (n_rows, n_features)
    family_of: dict[str, str]  # name of each column of the values -> its family
    models: list[lgb.Booster]
    n_threads: int

    def contributions(self, rows: np.ndarray) -> pd.DataFrame:
        """Return the contribution of each feature to the score of these rows, a column per feature.

        These are SHAP values by LightGBM (Lundberg et al. 2020), as slow as 100 predictions.
        """
        values = np.ascontiguousarray(self.values[rows])
        of_shap = {"pred_contrib": True, "num_threads": self.n_threads}
        added = np.mean([model.predict(values, **of_shap) for model in self.models], axis=0)
        return pd.DataFrame(added[:, :-1], rows, list(self.family_of))


def ranked_lists(fold: str, history: History, users: list[int], n_threads: int) -> RankedLists:
    """Rank the candidates of these warm users. users: rows of users.parquet"""
    blocks = [block.take(np.isin(block.user, users)) for block in candidate_lists.read(fold)]
    lists = candidate_lists.concatenate(blocks)
    params, models = load_params(trained.FOLDER), trained.load(fold)
    context, rows = load_context(history, params), rows_of(lists, history)
    families = families_of(context, params.groups)
    values = feature_matrix(families, rows).values
    score = pd.Series(trained.predict(models, values, n_threads).mean(axis=0))
    rank = score.groupby(lists.user).rank(method="first", ascending=False).astype(int)
    columns = {"user": lists.user, "item": lists.item, "als": lists.rank["als"], "hybrid": rank}
    family_of = {column: name for name, family in families.items() for column in family(rows)}
    return RankedLists(pd.DataFrame(columns), values, family_of, models, n_threads)


def family_contributions(lists: RankedLists, users: np.ndarray) -> pd.Series:
    """Return the mean |contribution| of each family to scores of the best candidates, sorted.

    The best candidates are CONTENDERS items of each user. The mean over the best candidates of a
    list is subtracted first, because a contribution that is equal for all items changes no rank.
    """
    rows = lists.rows[lists.rows["user"].isin(users) & (lists.rows["hybrid"] <= CONTENDERS)]
    added = lists.contributions(rows.index).T.groupby(lists.family_of, sort=False).sum().T
    means = added.groupby(rows["user"]).transform("mean")
    return (added - means).abs().mean().sort_values(ascending=False, kind="stable")


def sample_rows(gain: np.ndarray, seed: int) -> np.ndarray:
    """Return the rows of sample lists, int64, ascending by gain.

    Lists are sorted by gain (ties by seed) and cut into N_SAMPLES equal parts; the middle list of
    each part is a sample. Lists without gain or loss are left out, unless fewer than N_SAMPLES
    lists would remain.

    gain  float64 (n_lists,), n_lists >= 1
    """
    order = np.lexsort((np.random.default_rng(seed).random(len(gain)), gain))
    if np.count_nonzero(gain) >= N_SAMPLES:
        order = order[gain[order] != 0]
    parts = np.array_split(order, min(N_SAMPLES, len(order)))
    return np.array([part[len(part) // 2] for part in parts])


def introduction(gain: np.ndarray, k: int) -> Html:
    """Return a text on how the sample users were drawn. gain  of all lists"""
    return join(
        paragraph(
            f"Of the {len(gain):,} lists of warm users in the fold validation, the hybrid has a "
            f"higher AP@{k} than ALS in {(gain > 0).sum():,} and a lower one in "
            f"{(gain < 0).sum():,}. Nobody chose these users: the lists were sorted by gain and "
            f"cut into {N_SAMPLES} equal parts. The list in the middle of each part is shown."
        ),
        tag(
            "p",
            "✓ on a shaded line: relevant in the window. On the right: the rank by the other model "
            f"(▲ the hybrid moved the item up, ▼ down). Below an item that moved {FEWEST_PLACES} "
            "places or more: the features that raised its score most (in the hybrid's list) or "
            "lowered it most (in the list of ALS), compared with the mean of the items shown.",
            class_="note",
        ),
    )


def sample(
    row: tuple, history: History, target: Target, lists: RankedLists, names: list[str], k: int
) -> Html:
    """Return both lists of a user side by side.

    row  of data/per_user with the column user; names  of each row of items.parquet
    """
    liked = history.positives[history.user_of(np.array([row.user]))].indices[::-1][:N_LAST]
    liked_last = "; ".join(names[item] for item in history.items[liked])
    parts = (
        tag("h3", f"User {row.user_id}"),
        paragraph(
            f"AP@{k} {row.ap_als:.3f} → {row.ap_hybrid:.3f} ({signed(row.ap_hybrid - row.ap_als)})"
            f" · {row.n_positives:,} liked before · {row.n_relevant} relevant in the window, "
            f"{row.n_found} of them among the candidates"
        ),
        paragraph(tag("b", "Liked last: "), liked_last),
        tag("div", *both_lists(row.user, target, lists, names), class_="both"),
    )
    return tag("article", *parts, class_="user")


def both_lists(user: int, target: Target, lists: RankedLists, names: list[str]) -> list[Html]:
    """Return the top of the lists of ALS and of the hybrid for a user."""
    rows = lists.rows[lists.rows["user"] == user]
    rows = rows[rows["als"].between(1, N_SHOWN) | (rows["hybrid"] <= N_SHOWN)]
    strength = target.strength_of(rows["user"].to_numpy(), rows["item"].to_numpy())
    rows = rows.assign(is_hit=strength > 0)
    added = lists.contributions(rows.index)
    added -= added.mean()
    columns = []
    for name, heading in (("als", "ALS"), ("hybrid", "Hybrid")):
        own = rows[rows[name].between(1, N_SHOWN)].sort_values(name)
        lines = [
            _line(row, name, names[row.item], added.loc[row.Index]) for row in own.itertuples()
        ]
        columns.append(tag("div", tag("h4", heading, class_=name), tag("ol", *lines)))
    return columns


def reasons(added: pd.Series, own: int, other: int, sign: int) -> pd.Series:
    """Return the N_REASONS largest contributions with this sign to the score of an item.

    There are none if the other model ranks the item less than FEWEST_PLACES lower.

    added       contribution of every feature
    own, other  ranks by this model and by the other one; 0 means not retrieved
    """
    if other and other - own < FEWEST_PLACES:
        return added[:0]
    strongest = (sign * added).nlargest(N_REASONS)
    return sign * strongest[strongest > 0]


def _line(row: tuple, of: str, title: str, added: pd.Series) -> Html:
    """Return the markup of an item in the list of ALS or the hybrid."""
    own, other = (row.als, row.hybrid) if of == "als" else (row.hybrid, row.als)
    arrow = "=" if own == other else "▲" if not row.als or row.hybrid < row.als else "▼"
    found = reasons(added, own, other, -1 if of == "als" else 1)
    why = join(" · ".join(f"{name}\N{NO-BREAK SPACE}{signed(by)}" for name, by in found.items()))
    why = Html(why.replace("_", "_<wbr>"))  # a line may break after it
    tick = tag("span", "✓ ", class_="tick", role="img", aria_label="relevant: ")
    return tag(
        "li",
        tag("span", str(own), class_="rank"),
        tag("span", tick if row.is_hit else None, title, class_="title"),
        tag("span", f"{arrow} {other or 'not by ALS'}", class_="move"),
        tag("span", why, class_="why") if why else None,
        class_="hit" if row.is_hit else None,
    )
