"""Every feature by hand on a tiny history."""

from dataclasses import replace
from math import log
from pathlib import Path

from core.script import InputError

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from families import FAMILIES, FeatureMatrix, FeaturesParams, feature_matrix, load_params
from families.columns import Columns, codes, is_category, levels, lowest_of_levels
from families.context import Context, Rows
from histories import LIKED, SEEN, history_of

NAN = np.nan
S = 2  # smoothing
PARAMS = FeaturesParams(
    groups=list(FAMILIES), recent_windows=2, smoothing=S, last_items=10, scores={}
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


def context_of(**changed: object) -> Context:
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
        history_of(ROWS, 3),
        pd.DataFrame(users),
        pd.DataFrame(items),
        sparse.csr_array(np.array([[1, 0], [1 / 2, 1 / 2], [0, 0]], dtype=np.float32)),
        np.array([[2, 0], [1, 1], [0, 3]], dtype=np.float32),
        CHANNELS,
        PARAMS,
        n_threads=1,
    )
    return replace(context, **changed)


def rows(*pairs: tuple[int, int], **changed: dict) -> Rows:
    """A list for each run of equal users."""
    user, item = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    none = np.zeros(len(user))
    of = Rows(user, item, {"als": none.astype(np.int16)}, {"als": none.astype(np.float32)})
    return replace(of, **changed)


def matrix_of(of: Rows, groups: list[str], **changed: object) -> FeatureMatrix:
    context = context_of(**changed)
    return feature_matrix({name: FAMILIES[name](context) for name in groups}, of)


def check(family: str, of: Rows, expected: dict[str, list[float]], **changed: object) -> Columns:
    """Check these columns, and that all are float32 or categories. Returns all columns."""
    columns = FAMILIES[family](context_of(**changed))(of)
    for name, values in expected.items():
        found = codes(columns[name])
        np.testing.assert_allclose(found, values, rtol=2e-6, atol=1e-7, err_msg=name)
    numbers = [values for values in columns.values() if not is_category(values)]
    assert {values.dtype for values in numbers} <= {np.dtype(np.float32)}
    return columns


def rate(positives: float, exposures: float, of_all: float = R) -> float:
    return (positives + S * of_all) / (exposures + S)


ITEMS = rows((0, 0), (0, 1), (0, 2))
USERS = rows((0, 1), (1, 1), (2, 1))


def test_popularity() -> None:
    """A life of 1 window counts as the 2 recent ones. A history may end with quiet windows."""
    expected = {
        "item_positives": [log(1 + 1), log(1 + 1), log(1 + 2)],
        "item_exposures": [log(1 + 3), log(1 + 2), log(1 + 2)],
        "item_rate": [rate(1, 3), rate(1, 2), rate(2, 2)],
        "item_recent_positives": [log(1 + 0), log(1 + 1), log(1 + 2)],
        "item_recent_rate": [rate(0, 2), rate(1, 2), rate(2, 2)],
        "item_last_positives": [log(1 + 0), log(1 + 0), log(1 + 2)],
        "item_last_trend": [log(1 / 1), log(1 / 2), log(3 / 1)],
        "item_age_windows": [3, 2, 1],
        "item_trend": [log(1 / 2) - log(2 / 3), log(2 / 2) - log(2 / 2), log(3 / 2) - log(3 / 2)],
    }
    assert check("popularity", ITEMS, expected).keys() == expected.keys()
    quiet = {"item_age_windows": [5, 4, 3], "item_recent_rate": [R, R, R]}
    check("popularity", ITEMS, quiet, history=history_of(ROWS, 5))


def test_activity() -> None:
    expected = {
        "user_exposures": [log(1 + 3), log(1 + 3), log(1 + 1)],
        "user_positives": [log(1 + 2), log(1 + 2), log(1 + 0)],
        "user_rate": [rate(2, 3), rate(2, 3), rate(0, 1)],
        "user_recent_exposures": [log(1 + 2), log(1 + 3), log(1 + 1)],
        "user_recent_rate": [rate(1, 2), rate(2, 3), rate(0, 1)],
        "user_idle_windows": [3 - 2, 3 - 2, 3 - 1],
        "user_active_windows": [3, 2, 1],
    }
    assert check("activity", USERS, expected).keys() == expected.keys()


def test_affinity() -> None:
    """Exposures of user 0: A 1 + 1/2, B 1/2, liked: A 1; of all: A 4, B 1, liked: A 3/2, B 1/2."""
    own, other = rate(2, 3), rate(0, 1)
    lift_a, lift_b = (1 / 2 + 0.01) / (3 / 4 + 0.01), (0 + 0.01) / (1 / 4 + 0.01)
    all_a, all_b = rate(3 / 2, 4), rate(1 / 2, 1)
    expected = {
        "tag_positives": [log(1 + 1 / 2 * 1 + 1 / 2 * 0), NAN, log(1 + 0)],
        "tag_exposures": [log(1 + 1 / 2 * 3 / 2 + 1 / 2 * 1 / 2), NAN, log(1 + 1)],
        "tag_lift": [1 / 2 * lift_a + 1 / 2 * lift_b, NAN, (0 + 0.01) / (3 / 4 + 0.01)],
        "tag_rate": [rate(1, 3 / 2, own) / 2 + rate(0, 1 / 2, own) / 2, NAN, rate(0, 1, other)],
        "tag_all_positives": [log(1 + 1 / 2 * 3 / 2 + 1 / 2 * 1 / 2), NAN, log(1 + 3 / 2)],
        "tag_all_rate": [1 / 2 * all_a + 1 / 2 * all_b, NAN, all_a],
    }
    check("affinity", rows((0, 1), (0, 2), (2, 0)), expected)


def test_affinity_distances() -> None:
    """User 0 liked 1990 and then 2000, user 1 an unknown year and then 2000, user 2 nothing."""
    columns = check("affinity", rows((0, 0), (0, 1), (1, 0), (2, 0)), {})
    weighted = (2000 * 1 + 1990 * 1 / 2) / (1 + 1 / 2)
    for name, of_user in (("year_from_all", (1990 + 2000) / 2), ("year_from_last", weighted)):
        expected = [1990 - of_user, NAN, 1990 - 2000, NAN]
        np.testing.assert_allclose(columns[name], expected, atol=2000 * 2**-22)  # float32


def test_recent_affinity() -> None:
    """The same of the last two windows, in which every user and item occurs."""
    of = rows((0, 1), (0, 2), (2, 0))
    recent = check("affinity", of, {}, history=history_of(ROWS[1:], 3))
    expected = {f"recent_{name}": recent[name] for name in recent if not name.endswith("_last")}
    expected["tag_idle_windows"] = [3 - 1, NAN, 3 - 1]
    assert check("recent_affinity", of, expected).keys() == expected.keys()


def lift(positives: int, positives_of_group: int) -> float:
    """The group's smoothed share of the positives of an item; half of all are the group's."""
    return log((positives + S * 2 / 4) / (positives_of_group + S) / (2 / 4))


LIFTS = [lift(1, 1), lift(0, 1), lift(1, 2)]  # of women for the three items


def test_demographics() -> None:
    """Positives of F: items 0 and 2, of M: 1 and 2. Nobody of a missing gender liked anything, so
    nothing is known of it. Users 0 and 2 are of one age, user 1 of the missing one.
    """
    expected = {"gender_lift": [*LIFTS, lift(0, 1), 0], "age_lift": [*LIFTS, lift(0, 1), LIFTS[2]]}
    check("demographics", rows((0, 0), (0, 1), (0, 2), (1, 0), (2, 2)), expected)


def test_group_popularity() -> None:
    """Positives of 2, 1 and 0 windows ago, with a half-life of 2 windows; and two damped lifts."""
    pairs = rows((0, 0), (0, 1), (0, 2), (2, 2))
    recent = [log(1 + 1 / 2), log(1 + 724 / 1024), log(1 + 1 + 1)]  # 2^(-1 / 2) is 724 / 1024
    both = [of + 2 * lift / 2**0.5 for of, lift in zip(recent, LIFTS, strict=True)]
    last = recent[2] + LIFTS[2] / 2**0.5  # nothing is known of the user's gender
    check("group_popularity", pairs, {"group_popularity": [*both, last]})
    nobody = pd.DataFrame(index=range(3))
    check("group_popularity", pairs, {"group_popularity": [*recent, recent[2]]}, users=nobody)


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


def test_als() -> None:
    rank, score = {"als": np.array([2, 0, 1], np.int16)}, {"als": np.array([3, 0, 2], np.float32)}
    expected = {
        "als_score": [3, 0, 2],
        "als_rank": [2, NAN, 1],
        "als_score_z": [(3 - 1.5) / 1.5, (0 - 1.5) / 1.5, 0],
    }
    check("als", rows((0, 0), (0, 1), (1, 2), rank=rank, score=score), expected)


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
    a, b = rate(1 + 0 / 2, 3 + 2 / 2, c), rate(0 / 2, 2 / 2, c)  # tags
    recent_a, recent_b = rate(0, 2 + 2 / 2, c), rate(0, 2 / 2, c)
    expected = {
        "item_like_rate": [rate(1, 3, c), rate(0, 2, c), rate(2, 2, c)],
        "item_recent_like_rate": [rate(0, 2, c), rate(0, 2, c), rate(2, 2, c)],
        "tag_like_rate": [a, 1 / 2 * a + 1 / 2 * b, NAN],
        "tag_recent_like_rate": [recent_a, 1 / 2 * recent_a + 1 / 2 * recent_b, NAN],
    }
    check("channels", ITEMS, expected)
    expected = {
        "user_like_rate": [rate(2, 3, c), rate(1, 3, c), rate(0, 1, c)],
        "user_recent_like_rate": [rate(1, 2, c), rate(1, 3, c), rate(0, 1, c)],
    }
    check("channels", USERS, expected)


def test_channels_of_the_time_watched() -> None:
    """Items of 20 and 40 seconds, item 1 of an unknown duration: the seconds of its 2 rows do not
    count. Shown were 3 x 20 + 2 x 40 seconds, watched 10 + 30 + 5 + 60 + 7, in 7 exposures."""

    def share(watched: float, shown: float) -> float:
        t, d = (10 + 30 + 5 + 60 + 7) / 7, (3 * 20 + 2 * 40) / 7
        return (watched + S * t) / (shown + S * d)

    items = pd.DataFrame({"duration": np.array([20, NAN, 40], dtype=np.float32)})
    last = share(30 + 60, 2 * 40)
    expected = {
        "item_watched": [share(10 + 5 + 7, 3 * 20), share(0, 0), last],
        "item_recent_watched": [share(5 + 7, 2 * 20), share(0, 0), last],
    }
    check("channels", ITEMS, expected, items=items)
    others = [share(5 + 60, 20 + 40), share(7, 20)]
    expected = {
        "user_watched": [share(10 + 30, 20 + 40), *others],
        "user_recent_watched": [share(30, 40), *others],
    }
    check("channels", USERS, expected, items=items)


def test_channels_of_a_users_settings() -> None:
    """User 0 was twice on 3, user 1 once on 2, of user 2 nothing is known."""
    check("channels", USERS, {"user_platform": [3, 2, NAN]})
    ties = {"place": np.array([9, 7, 255, 8, 8, 7, 0], dtype=np.uint8)}
    check("channels", USERS, {"user_place": [7, 8, 0]}, channels=ties)


def test_a_source_without_channels_has_no_column() -> None:
    popularity = matrix_of(ITEMS, ["popularity"]).names
    assert matrix_of(ITEMS, ["popularity", "channels"], channels={}).names == popularity
    with pytest.raises(InputError, match="features.groups has only families without columns"):
        matrix_of(ITEMS, ["channels"], channels={})


def test_scores() -> None:
    """The models are not sources. An item that a model does not know has the score 0."""
    of = rows((0, 0), (0, 1), (0, 2), (2, 0), (2, 1))
    of.score["ease"] = np.float32([2, NAN, 4, 5, 5])
    sd = ((0**2 + 2**2 + 2**2) / 3) ** 0.5
    expected = {"score_ease_z": [0, -2 / sd, 2 / sd, 0, 0]}
    assert check("scores", of, expected).keys() == expected.keys()


def test_sources() -> None:
    ranks = {"als": [2, 1, 0], "ease": [1, 0, 3]}
    scores = {"als": [0.5, 0.7, 0.1], "ease": [4, 1, 2], "no_source": [9, 9, 9]}
    rank = {name: np.array(values, np.int16) for name, values in ranks.items()}
    score = {name: np.array(values, np.float32) for name, values in scores.items()}
    expected = {
        "als_source_rank": [2, 1, NAN],
        "als_source_score": [0.5, 0.7, NAN],
        "ease_source_rank": [1, NAN, 3],
        "ease_source_score": [4, NAN, 2],
        "n_sources": [2, 1, 1],
        "best_rank": [1, 1, 3],
    }
    check("sources", replace(ITEMS, rank=rank, score=score), expected)


def test_matrix_of_every_family() -> None:
    """The families in the order of groups. No two features have one name; no rows have the same
    columns; a block of whole lists is a block of the matrix; the dtype says what is a category.
    """
    of = rows((0, 0), (0, 1), (0, 2), (1, 0), (1, 2))
    whole = matrix_of(of, list(FAMILIES))
    columns = {name: v for family in FAMILIES for name, v in check(family, of, {}).items()}
    names = [*columns]
    assert whole.names == names
    assert whole.values.flags.f_contiguous
    for number, values in enumerate(columns.values()):
        np.testing.assert_array_equal(whole.values[:, number], codes(values))
    none = matrix_of(rows(), list(FAMILIES))
    assert (none.values.shape, none.names) == ((0, len(names)), names)
    assert none.categorical == whole.categorical
    assert whole.categorical == ["user_gender", "item_author", "user_platform"]
    parts = [matrix_of(block, list(FAMILIES)).values for block in (ITEMS, rows((1, 0), (1, 2)))]
    assert np.concatenate(parts).tobytes() == whole.values.tobytes()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"age": np.zeros(5)}, "family user: age has shape (5,); must be (2,)"),
        ({"item_age": np.zeros(2)}, "family user: another family also has a column item_age"),
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
