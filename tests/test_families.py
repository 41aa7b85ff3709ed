"""Every feature by hand on a tiny history; and that neither features nor candidates know the
future.
"""

from dataclasses import replace
from math import log
from pathlib import Path

from core.candidate_lists import Candidates
from core.history import History
from core.script import InputError

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from families import (
    FAMILIES,
    FeatureMatrix,
    FeaturesParams,
    families_of,
    feature_matrix,
    load_params,
)
from families.columns import Columns, codes, is_category, levels, lowest_of_levels, z_scores
from families.context import Context, Rows, metadata, rows_of, serving
from histories import LIKED, SEEN, Row, history_of, random_rows
from models.als import AlsParams, factors_of
from models.model import Inputs
from models.popular import RecentPopularParams, recent_popular
from models.registry import MODELS
from models.scoring import Served, candidate_lists
from plain_models import SETTINGS

NAN = np.nan
S = 2  # smoothing
PARAMS = FeaturesParams(
    groups=list(FAMILIES),
    recent_windows=2,
    smoothing=S,
    last_items=10,
    scores={},
)

ROWS = [  # user, item, window, strength; windows 1 and 2 are the recent ones
    (0, 0, 0, LIKED),
    (1, 0, 1, SEEN),
    (2, 0, 1, SEEN),
    (0, 1, 1, SEEN),
    (1, 1, 1, LIKED),
    (0, 2, 2, LIKED),
    (1, 2, 2, LIKED),
]
R = 4 / 7  # share of the exposures that are positive
CHANNELS = {  # by user: items 0, 1, 2 of user 0, the same of user 1, item 0 of user 2
    "like": np.array([True, False, True, False, False, True, False]),
    "timespent": np.array([10, 0, 30, 5, 4, 60, 7], dtype=np.uint8),
    "platform": np.array([4, 3, 3, 255, 2, 255, 255], dtype=np.uint8),
}
USER_FACTORS = np.array([[1, 0], [0, 2], [0, 0]], dtype=np.float32)
ITEM_FACTORS = np.array([[3, 4], [0, 1], [1, 1]], dtype=np.float32)


def context_of(history: History | None = None, **changed: object) -> Context:
    """Item 0 has the tag A, item 1 has A and B, item 2 has none."""
    users = {
        "gender": pd.Categorical(["F", "M", None], categories=["F", "M"]),
        "age": np.array([30, NAN, 30], dtype=np.float32),
    }
    items = {
        "author": pd.Categorical(["x", None, "y"], categories=["x", "y"]),
        "year": np.array([1990, NAN, 2000], dtype=np.float32),
    }
    context = Context(
        history_of(ROWS, 3) if history is None else history,
        pd.DataFrame(users),
        pd.DataFrame(items),
        sparse.csr_array(np.array([[1, 0], [1 / 2, 1 / 2], [0, 0]], dtype=np.float32)),
        np.array([[2, 0], [1, 1], [0, 3]], dtype=np.float32),
        CHANNELS,
        PARAMS,
        n_threads=1,
    )
    return replace(context, **changed)


def rows(*pairs: tuple[int, int], rank: list[int] | None = None) -> Rows:
    """A list for each run of equal users."""
    user, item = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    ranks = np.array(rank if rank else [0] * len(pairs), dtype=np.int16)
    score = (USER_FACTORS[user % 3] * ITEM_FACTORS[item % 3]).sum(axis=1)
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    return Rows(user, item, starts, {"als": ranks}, {"als": score})


def columns_of(family: str, of: Rows, context: Context | None = None) -> Columns:
    """The columns of one family, of the context of these tests unless another is given."""
    return FAMILIES[family](context_of() if context is None else context)(of)


def matrix_of(of: Rows, groups: list[str], context: Context | None = None) -> FeatureMatrix:
    """The columns of these families, of the context of these tests unless another is given."""
    return feature_matrix(families_of(context_of() if context is None else context, groups), of)


def check(family: str, of: Rows, expected: dict[str, list[float]], **changed: object) -> None:
    """The named columns, and that they are float32 or categories."""
    columns = columns_of(family, of, context_of(**changed))
    for name, values in expected.items():
        found = codes(columns[name])
        np.testing.assert_allclose(found, values, rtol=2e-6, atol=1e-7, err_msg=name)
    numbers = [values for values in columns.values() if not is_category(values)]
    assert {values.dtype for values in numbers} <= {np.dtype(np.float32)}


ITEMS = rows((0, 0), (0, 1), (0, 2))
USERS = rows((0, 1), (1, 1), (2, 1))


def test_popularity() -> None:
    expected = {
        "item_positives": [log(1 + 1), log(1 + 1), log(1 + 2)],
        "item_exposures": [log(1 + 3), log(1 + 2), log(1 + 2)],
        "item_rate": [(1 + S * R) / (3 + S), (1 + S * R) / (2 + S), (2 + S * R) / (2 + S)],
        "item_recent_positives": [log(1 + 0), log(1 + 1), log(1 + 2)],
        "item_recent_rate": [(0 + S * R) / (2 + S), (1 + S * R) / (2 + S), (2 + S * R) / (2 + S)],
        "item_last_positives": [log(1 + 0), log(1 + 0), log(1 + 2)],
        "item_last_trend": [log(1 / 1), log(1 / 2), log(3 / 1)],
        "item_age_windows": [3, 2, 1],
        "item_trend": [  # a life of 1 window counts as the 2 recent ones
            log((0 + 1) / 2) - log((1 + 1) / 3),
            log((1 + 1) / 2) - log((1 + 1) / 2),
            log((2 + 1) / 2) - log((2 + 1) / 2),
        ],
    }
    check("popularity", ITEMS, expected)
    assert set(columns_of("popularity", ITEMS)) == set(expected)


def test_popularity_of_quiet_last_windows() -> None:
    """The history ends with the window before the target, even if nothing happened in it."""
    expected = {
        "item_age_windows": [5, 4, 3],
        "item_recent_positives": [0, 0, 0],
        "item_recent_rate": [R, R, R],
        "item_trend": [log(1 / 2) - log(2 / 5), log(1 / 2) - log(2 / 4), log(1 / 2) - log(3 / 3)],
    }
    check("popularity", ITEMS, expected, history=history_of(ROWS, 5))


def test_activity() -> None:
    expected = {
        "user_exposures": [log(1 + 3), log(1 + 3), log(1 + 1)],
        "user_positives": [log(1 + 2), log(1 + 2), log(1 + 0)],
        "user_rate": [(2 + S * R) / (3 + S), (2 + S * R) / (3 + S), (0 + S * R) / (1 + S)],
        "user_recent_exposures": [log(1 + 2), log(1 + 3), log(1 + 1)],
        "user_recent_rate": [(1 + S * R) / (2 + S), (2 + S * R) / (3 + S), (0 + S * R) / (1 + S)],
        "user_idle_windows": [3 - 2, 3 - 2, 3 - 1],
        "user_active_windows": [3, 2, 1],
    }
    check("activity", USERS, expected)
    assert set(columns_of("activity", USERS)) == set(expected)


def test_affinity() -> None:
    """Exposures of user 0: A 1 + 1/2, B 1/2, liked: A 1; of all: A 4, B 1, liked: A 3/2, B 1/2."""
    rate = [(2 + S * R) / (3 + S), None, (0 + S * R) / (1 + S)]
    lift_a, lift_b = (1 / 2 + 0.01) / (3 / 4 + 0.01), (0 + 0.01) / (1 / 4 + 0.01)
    all_a, all_b = (3 / 2 + S * R) / (4 + S), (1 / 2 + S * R) / (1 + S)
    expected = {
        "tag_positives": [log(1 + 1 / 2 * 1 + 1 / 2 * 0), NAN, log(1 + 0)],
        "tag_exposures": [log(1 + 1 / 2 * 3 / 2 + 1 / 2 * 1 / 2), NAN, log(1 + 1)],
        "tag_lift": [1 / 2 * lift_a + 1 / 2 * lift_b, NAN, (0 + 0.01) / (3 / 4 + 0.01)],
        "tag_rate": [
            1 / 2 * (1 + S * rate[0]) / (3 / 2 + S) + 1 / 2 * (0 + S * rate[0]) / (1 / 2 + S),
            NAN,
            (0 + S * rate[2]) / (1 + S),
        ],
        "tag_all_positives": [log(1 + 1 / 2 * 3 / 2 + 1 / 2 * 1 / 2), NAN, log(1 + 3 / 2)],
        "tag_all_rate": [1 / 2 * all_a + 1 / 2 * all_b, NAN, all_a],
    }
    check("affinity", rows((0, 1), (0, 2), (2, 0)), expected)


def test_affinity_distances() -> None:
    """User 0 liked 1990 and then 2000, user 1 an unknown year and then 2000, user 2 nothing."""
    columns = columns_of("affinity", rows((0, 0), (0, 1), (1, 0), (2, 0)))
    weighted = (2000 * 1 + 1990 * 1 / 2) / (1 + 1 / 2)
    expected = {
        "year_from_all": [1990 - (1990 + 2000) / 2, NAN, 1990 - 2000, NAN],
        "year_from_last": [1990 - weighted, NAN, 1990 - 2000, NAN],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(columns[name], values, atol=2000 * 2**-22)  # float32


def test_recent_affinity() -> None:
    """In the 6 rows of windows 1 and 2, user 0 was exposed to A 1/2 and B 1/2 and liked only item
    2, user 2 was exposed to A 1. In all, A has 3 exposures and B 1, and both have 1/2 positives.
    """
    r = 3 / 6
    rate = [(1 + S * r) / (2 + S), None, (0 + S * r) / (1 + S)]
    lift = (0 + 0.01) / (1 / 2 + 0.01)
    all_a, all_b = (1 / 2 + S * r) / (3 + S), (1 / 2 + S * r) / (1 + S)
    expected = {
        "recent_year_from_all": [NAN, 2000 - 2000, NAN],  # item 2 is all that user 0 liked
        "recent_tag_positives": [log(1 + 0), NAN, log(1 + 0)],
        "recent_tag_exposures": [log(1 + 1 / 2 * 1 / 2 + 1 / 2 * 1 / 2), NAN, log(1 + 1)],
        "recent_tag_lift": [lift, NAN, lift],
        "recent_tag_rate": [S * rate[0] / (1 / 2 + S), NAN, S * rate[2] / (1 + S)],
        "recent_tag_all_positives": [log(1 + 1 / 2), NAN, log(1 + 1 / 2)],
        "recent_tag_all_rate": [1 / 2 * all_a + 1 / 2 * all_b, NAN, all_a],
        "tag_idle_windows": [3 - 1, NAN, 3 - 1],
    }
    of = rows((0, 1), (0, 2), (2, 0))
    check("recent_affinity", of, expected)
    assert set(columns_of("recent_affinity", of)) == set(expected)


def test_demographics() -> None:
    """Positives of F: items 0 and 2, of M: 1 and 2; half of all each. Nobody of a missing gender
    liked anything, so nothing is known of it; all who liked are of age 30 or missing."""
    pairs = rows((0, 0), (0, 1), (0, 2), (1, 0), (2, 2))
    expected = {
        "gender_lift": [
            log((1 + S * 2 / 4) / (1 + S) / (2 / 4)),
            log((0 + S * 2 / 4) / (1 + S) / (2 / 4)),
            log((1 + S * 2 / 4) / (2 + S) / (2 / 4)),
            log((0 + S * 2 / 4) / (1 + S) / (2 / 4)),
            0,
        ],
        "age_lift": [  # users 0 and 2 are of one level, user 1 of the missing one
            log((1 + S * 2 / 4) / (1 + S) / (2 / 4)),
            log((0 + S * 2 / 4) / (1 + S) / (2 / 4)),
            log((1 + S * 2 / 4) / (2 + S) / (2 / 4)),
            log((0 + S * 2 / 4) / (1 + S) / (2 / 4)),
            log((1 + S * 2 / 4) / (2 + S) / (2 / 4)),
        ],
    }
    check("demographics", pairs, expected)


def test_group_popularity() -> None:
    """Positives of 2, 1 and 0 windows ago, with a half-life of 2 windows; and two damped lifts."""
    pairs = rows((0, 0), (0, 1), (0, 2), (2, 2))
    recent = [1 / 2, 724 / 1024, 1 + 1]  # 2^(-1 / 2) is 724 / 1024
    lifts = [  # of gender and of age, see test_demographics
        2 * log((1 + S * 2 / 4) / (1 + S) / (2 / 4)),
        2 * log((0 + S * 2 / 4) / (1 + S) / (2 / 4)),
        2 * log((1 + S * 2 / 4) / (2 + S) / (2 / 4)),
    ]
    expected = [log(1 + d) + lift / 2**0.5 for d, lift in zip(recent, lifts, strict=True)]
    last = log(1 + 2) + lifts[2] / 2 / 2**0.5  # nothing is known of the user's gender
    check("group_popularity", pairs, {"group_popularity": [*expected, last]})
    nobody = {"users": pd.DataFrame(index=range(3))}
    only_recent = {"group_popularity": [log(1 + d) for d in (*recent, recent[2])]}
    check("group_popularity", pairs, only_recent, **nobody)


@pytest.mark.parametrize(
    ("history", "is_categorical", "values", "expected"),
    [
        ([7.5, NAN, -1.0, 7.5], False, [7.5, NAN, -1, -9, 99], [1, 2, 0, 0, 1]),
        (np.arange(80) * 10.0, False, [0, 95, 105, 790, NAN], [0, 0, 1, 7, 8]),  # eighths
        ([10.0, 20.0, 30.0], True, [10, 20, 25, NAN], [0, 1, 3, 3]),  # 25 is new: unknown
    ],
)
def test_levels(history: list, is_categorical: bool, values: list, expected: list[int]) -> None:
    """Numbers, also new ones, go to the level that they are in, or to the lowest."""
    lowest = lowest_of_levels(np.array(history), is_categorical)
    assert levels(np.array(values, float), lowest, is_categorical).tolist() == expected


def test_z_scores() -> None:
    values = np.array([1.0, 3.0, 7.0, 7.0, 2.0, 3.0, 7.0])
    expected = [-1, 1, 0, 0, *(np.array([-2, -1, 3]) / ((4 + 1 + 9) / 3) ** 0.5)]
    np.testing.assert_allclose(z_scores(values, np.array([0, 2, 4])), expected, atol=1e-9)
    assert z_scores(values[:0], np.zeros(0, dtype=np.int64)).tolist() == []


def test_als() -> None:
    of = rows((0, 0), (0, 1), (1, 2), rank=[2, 0, 1])
    expected = {
        "als_score": [1 * 3 + 0 * 4, 1 * 0 + 0 * 1, 0 * 1 + 2 * 1],
        "als_rank": [2, NAN, 1],
        "als_score_z": [(3 - 1.5) / 1.5, (0 - 1.5) / 1.5, 0],
    }
    check("als", of, expected)


def test_user_item_and_embedding() -> None:
    pairs = rows((0, 1), (1, 2), (2, 0))
    check("user", pairs, {"user_gender": [0, 1, NAN], "user_age": [30, NAN, 30]})
    check("item", pairs, {"item_author": [NAN, 1, 0], "item_year": [NAN, 2000, 1990]})
    check("embedding", pairs, {"embedding_00": [1, 0, 2], "embedding_01": [1, 3, 0]})


def test_similarity() -> None:
    """User 0 likes item 0 and then item 2; user 2 likes nothing."""
    last = np.array([1 / 2, 1]) / (1 / 4 + 1) ** 0.5  # of user 0, embeddings
    expected = {
        "content_all": [1 / 2**0.5, 1, 1 / 2**0.5, 0],
        "content_last": [last[0], last.sum() / 2**0.5, last[1], 0],
    }
    for name, values in [*expected.items()]:
        of_user = np.array(values[:3])
        expected[f"{name}_z"] = [*(of_user - of_user.mean()) / of_user.std(), 0]
    check("similarity", rows((0, 0), (0, 1), (0, 2), (2, 1)), expected)


def test_channels_of_rare_feedback() -> None:
    """Likes: item 0 by user 0 in window 0, item 2 by users 0 and 1 in window 2; 3 of 7 in all."""
    c = 3 / 7
    a, b = (1 + 0 / 2 + S * c) / (3 + 2 / 2 + S), (0 / 2 + S * c) / (2 / 2 + S)  # tags
    recent_a, recent_b = (S * c) / (2 + 2 / 2 + S), (S * c) / (2 / 2 + S)
    expected = {
        "item_like_rate": [(1 + S * c) / (3 + S), (0 + S * c) / (2 + S), (2 + S * c) / (2 + S)],
        "item_recent_like_rate": [S * c / (2 + S), S * c / (2 + S), (2 + S * c) / (2 + S)],
        "tag_like_rate": [a, 1 / 2 * a + 1 / 2 * b, NAN],
        "tag_recent_like_rate": [recent_a, 1 / 2 * recent_a + 1 / 2 * recent_b, NAN],
    }
    check("channels", ITEMS, expected)
    expected = {
        "user_like_rate": [(2 + S * c) / (3 + S), (1 + S * c) / (3 + S), (0 + S * c) / (1 + S)],
        "user_recent_like_rate": [
            (1 + S * c) / (2 + S),
            (1 + S * c) / (3 + S),
            (0 + S * c) / (1 + S),
        ],
    }
    check("channels", USERS, expected)


def test_channels_of_the_time_watched() -> None:
    """Items of 20 and 40 seconds, item 1 of an unknown duration: the seconds of its 2 rows do not
    count. Shown were 3 x 20 + 2 x 40 seconds, watched 10 + 30 + 5 + 60 + 7, in 7 exposures."""
    items = pd.DataFrame({"duration": np.array([20, NAN, 40], dtype=np.float32)})
    t, d = (10 + 30 + 5 + 60 + 7) / 7, (3 * 20 + 2 * 40) / 7
    expected = {
        "item_watched": [
            (10 + 5 + 7 + S * t) / (3 * 20 + S * d),
            (0 + S * t) / (0 + S * d),
            (30 + 60 + S * t) / (2 * 40 + S * d),
        ],
        "item_recent_watched": [
            (5 + 7 + S * t) / (2 * 20 + S * d),
            (0 + S * t) / (0 + S * d),
            (30 + 60 + S * t) / (2 * 40 + S * d),
        ],
    }
    check("channels", ITEMS, expected, items=items)
    expected = {
        "user_watched": [
            (10 + 30 + S * t) / (20 + 40 + S * d),
            (5 + 60 + S * t) / (20 + 40 + S * d),
            (7 + S * t) / (20 + S * d),
        ],
        "user_recent_watched": [
            (30 + S * t) / (40 + S * d),
            (5 + 60 + S * t) / (20 + 40 + S * d),
            (7 + S * t) / (20 + S * d),
        ],
    }
    check("channels", USERS, expected, items=items)


def test_channels_of_a_users_settings() -> None:
    """User 0 was twice on 3, user 1 once on 2, of user 2 nothing is known."""
    check("channels", USERS, {"user_platform": [3, 2, NAN]})
    ties = {"place": np.array([9, 7, 255, 8, 8, 7, 0], dtype=np.uint8)}
    check("channels", USERS, {"user_place": [7, 8, 0]}, channels=ties)


def test_a_source_without_channels_has_no_column() -> None:
    none = context_of(channels={})
    assert columns_of("channels", ITEMS, none) == {}
    assert matrix_of(ITEMS, ["popularity", "channels"], none).names == [
        *columns_of("popularity", ITEMS)
    ]
    with pytest.raises(InputError, match="features.groups has only families without columns"):
        matrix_of(ITEMS, ["channels"], none)


def test_scores() -> None:
    """The models are not sources. An item that a model does not know has the score 0."""
    of = rows((0, 0), (0, 1), (0, 2), (2, 0), (2, 1))
    of.score["ease"] = np.float32([2, NAN, 4, 5, 5])
    columns = columns_of("scores", of)
    assert [*columns] == ["score_ease_z"]
    sd = ((0**2 + 2**2 + 2**2) / 3) ** 0.5
    np.testing.assert_allclose(columns["score_ease_z"], [0, -2 / sd, 2 / sd, 0, 0], rtol=1e-5)


def test_sources() -> None:
    of = replace(
        rows((0, 0), (0, 1), (0, 2)),
        rank={"als": np.array([2, 1, 0], np.int16), "ease": np.array([1, 0, 3], np.int16)},
        score={
            "als": np.array([0.5, 0.7, 0.1], np.float32),
            "ease": np.array([4.0, 1.0, 2.0], np.float32),
            "no_source": np.array([9.0, 9.0, 9.0], np.float32),
        },
    )
    expected = {
        "als_source_rank": [2, 1, NAN],
        "als_source_score": [0.5, 0.7, NAN],
        "ease_source_rank": [1, NAN, 3],
        "ease_source_score": [4, NAN, 2],
        "n_sources": [2, 1, 1],
        "best_rank": [1, 1, 3],
    }
    check("sources", of, expected)


def test_matrix_of_every_family() -> None:
    """The families in the order of groups. No two features have one name; no rows have the same
    columns; a block of whole lists is a block of the matrix; the dtype says what is a category.
    """
    of = rows((0, 0), (0, 1), (0, 2), (1, 0), (1, 2))
    whole = matrix_of(of, list(FAMILIES))
    columns = {name: v for family in FAMILIES for name, v in columns_of(family, of).items()}
    names = [*columns]
    assert whole.names == names
    assert whole.values.flags.f_contiguous
    for number, values in enumerate(columns.values()):
        np.testing.assert_array_equal(whole.values[:, number], codes(values))
    none = matrix_of(rows(), list(FAMILIES))
    assert (none.values.shape, none.names) == ((0, len(names)), names)
    assert none.categorical == whole.categorical
    assert whole.categorical == ["user_gender", "item_author", "user_platform"]
    blocks = [rows((0, 0), (0, 1), (0, 2)), rows((1, 0), (1, 2))]
    parts = [matrix_of(block, list(FAMILIES)).values for block in blocks]
    assert np.concatenate(parts).tobytes() == whole.values.tobytes()


# --- the future: users 0..11 and items 0..14 exist, 3, 7 and 4, 9 in the future alone

N_USERS, N_ITEMS, WINDOW = 12, 15, 4
ALS = {"factors": 4, "alpha": 1.0, "confidence": "plain", "regularization": 0.1, "iterations": 3}
MODELS_IN_USE = {f"{of[0]}_{number}": of for number, of in enumerate(SETTINGS)}
NAMES = ["als", *list(MODELS_IN_USE)[1:]]


ALL_ROWS = random_rows(0, range(WINDOW), N_USERS, N_ITEMS, 45)
PAST = [row for row in ALL_ROWS if row[0] not in (3, 7) and row[1] not in (4, 9)]
AGES = np.random.default_rng(4).integers(18, 60, N_USERS).astype(np.float32)
USERS_TABLE = pa.table({"user_id": np.arange(N_USERS), "age": AGES})


def channels_of(history: History) -> dict[str, np.ndarray]:
    """Channels that are functions of the row."""
    users, items = history.users[history.user], history.items[history.item]
    return {
        "share": (users + items + history.window) % 3 == 0,
        "timespent": ((7 * users + 5 * items) % 40).astype(np.uint8),
        "agent": ((users + history.window) % 5).astype(np.uint8),
    }


def lists_and_context(interactions: list[Row]) -> tuple[Candidates, Context]:
    """Return what the pipeline makes of them for the fold that targets WINDOW: the candidates of
    users 0..11 by every model, and what the families may read.
    """
    rng = np.random.default_rng(5)
    items = pa.table(
        {
            "item_id": np.arange(N_ITEMS),
            "author": pa.array(list("abcde" * 3)).dictionary_encode(),
            "duration": np.arange(10, 10 + N_ITEMS).astype(np.float32),
        }
    )
    tags = sparse.csr_array((rng.random((N_ITEMS, 4)) < 0.5).astype(np.float32) / 2)
    embeddings = rng.normal(size=(N_ITEMS, 3)).astype(np.float32)
    history = history_of(interactions, WINDOW)
    factors = factors_of(history, AlsParams(**ALS, half_life=0), seed=1, n_threads=1)
    tags, embeddings = tags[history.items], embeddings[history.items]
    inputs = Inputs(history, embeddings, 1, factors, tags)
    every = zip(NAMES, MODELS_IN_USE.values(), strict=True)
    models = {key: MODELS[name].fit(inputs, params) for key, (name, params) in every}
    fallback = recent_popular(inputs, RecentPopularParams(windows=2))
    served = Served(history, models, NAMES[:-2], fallback, 6)
    of_users, of_items = metadata(USERS_TABLE, history.users), metadata(items, history.items)
    channels = channels_of(history)
    return candidate_lists(served, np.arange(N_USERS), 1), Context(
        history, of_users, of_items, tags, embeddings, channels, PARAMS, n_threads=1
    )


def everything(interactions: list[Row]) -> dict[str, bytes]:
    """Return the bytes of every column of the lists, and of each family's columns for the lists of
    warm and of cold users.
    """
    lists, context = lists_and_context(interactions)
    columns = lists.table()
    found = {name: columns[name].to_numpy().tobytes() for name in columns.column_names}
    everyone = serving(context, np.arange(N_USERS), USERS_TABLE)
    for group, of, is_in in (
        ("warm", context, lists.is_retrieved),
        ("cold", everyone, ~lists.is_retrieved),
    ):
        of_group = rows_of(lists.take(is_in), of.served.history)
        assert len(of_group.user)
        for name in FAMILIES:
            values = columns_of(name, of_group, of).values()
            found[f"{group} {name}"] = b"".join(codes(one).tobytes() for one in values)
    return found


@pytest.mark.parametrize("strength", [1, 2])
def test_nothing_knows_the_future(strength: int) -> None:
    """One future or another, in which every pair of the past occurs again."""
    again = [(user, item, WINDOW, strength) for user, item, *_ in PAST]
    future = random_rows(strength, range(WINDOW, WINDOW + 2), N_USERS, N_ITEMS, 45)
    alone, with_future = everything(PAST), everything(PAST + future + again)
    assert [name for name in alone if alone[name] != with_future[name]] == []
    other_past = everything([*PAST, (0, 13, WINDOW - 1, LIKED), (5, 13, WINDOW - 1, LIKED)])
    assert alone["warm popularity"] != other_past["warm popularity"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"age": np.zeros(5)}, "family user: age has shape (5,); must be (2,)"),
        ({"age": np.float32(1)}, "family user: age has shape (); must be (2,)"),
        (
            {"item_age": np.zeros(2)},
            "family user: another family also has a column item_age; rename it",
        ),
    ],
)
def test_a_family_with_unfit_columns_is_one_line(columns: Columns, expected: str) -> None:
    families = {"item": lambda rows: {"item_age": rows.item}, "user": lambda rows: columns}
    with pytest.raises(InputError) as error:
        feature_matrix(families, rows((0, 0), (0, 1)))
    assert str(error.value).startswith(expected)


def test_params_of_other_code_are_a_line(tmp_path: Path) -> None:
    text = PARAMS.model_dump_json()
    (tmp_path / "features.json").write_text(text)
    assert load_params(tmp_path) == PARAMS
    (tmp_path / "features.json").write_text(text.replace("{", '{"cold_groups": [], ', 1))
    with pytest.raises(InputError, match="features.json: written by another version of the code"):
        load_params(tmp_path)
