"""Sample users of a judged fold: their last positives, both lists, and why items moved."""

from collections.abc import Callable

from core.history import History, Target

import numpy as np
import pandas as pd

from evaluation.pictures import signed
from reporting.page import Html, join, paragraph, tag
from reporting.ranker import RankedLists

N_SAMPLES, N_LAST, N_REASONS = 6, 5, 3
N_SHOWN = 10  # number of items of each list
FEWEST_PLACES = 3  # smallest move within the top k for which reasons are shown
TitleOf = Callable[[int], str]  # row of items.parquet -> title


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
    row: tuple,
    history: History,
    target: Target,
    lists: RankedLists,
    title_of: TitleOf,
    user_id: str,
    k: int,
) -> Html:
    """Return both lists of a user side by side. row  a row of reporting.list_table"""
    liked = history.positives[history.user_of(np.array([row.user]))].indices[::-1][:N_LAST]
    parts = (
        tag("h3", f"User {user_id}"),
        paragraph(
            f"AP@{k} {row.ap_als:.3f} → {row.ap_hybrid:.3f} ({signed(row.ap_hybrid - row.ap_als)})"
            f" · {row.n_positives:,} liked before · {row.n_relevant} relevant in the window, "
            f"{row.n_found} of them among the candidates"
        ),
        paragraph(tag("b", "Liked last: "), "; ".join(map(title_of, history.items[liked]))),
        tag("div", *both_lists(row.user, target, lists, title_of), class_="both"),
    )
    return tag("article", *parts, class_="user")


def both_lists(user: int, target: Target, lists: RankedLists, title_of: TitleOf) -> list[Html]:
    """Return the top of the lists of ALS and of the hybrid for a user."""
    rows = np.flatnonzero(lists.user == user)
    rank = pd.DataFrame({name: of[rows] for name, of in lists.rank.items()}, rows)
    rank = rank[((rank >= 1) & (rank <= N_SHOWN)).any(axis=1)]
    added = lists.contributions(rank.index)
    added = (added - added.mean()).set_index(rank.index)
    item = lists.item[rank.index]
    is_hit = dict(zip(rank.index, target.strength_of(np.full(len(item), user), item), strict=True))
    columns = []
    for name, heading in (("als", "ALS"), ("hybrid", "Hybrid")):
        own = rank[rank[name].between(1, N_SHOWN)].sort_values(name)
        lines = [
            _line(one, name, title_of(lists.item[row]), bool(is_hit[row]), added.loc[row])
            for row, one in zip(own.index, own.itertuples(), strict=True)
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


def _line(rank: tuple, of: str, title: str, is_hit: bool, added: pd.Series) -> Html:
    """Return the markup of an item in the list of ALS or the hybrid. rank  by als and by hybrid"""
    own, other = (rank.als, rank.hybrid) if of == "als" else (rank.hybrid, rank.als)
    arrow = "=" if own == other else "▲" if not rank.als or rank.hybrid < rank.als else "▼"
    found = reasons(added, own, other, -1 if of == "als" else 1)
    why = join(" · ".join(f"{name}\N{NO-BREAK SPACE}{signed(by)}" for name, by in found.items()))
    why = Html(why.replace("_", "_<wbr>"))  # a line may break after it
    tick = tag("span", "✓ ", class_="tick", role="img", aria_label="relevant: ")
    return tag(
        "li",
        tag("span", str(own), class_="rank"),
        tag("span", tick if is_hit else None, title, class_="title"),
        tag("span", f"{arrow} {other or 'not by ALS'}", class_="move"),
        tag("span", why, class_="why") if why else None,
        class_="hit" if is_hit else None,
    )
