"""What the report says of lists and slices, by hand arithmetic."""

import numpy as np
import pandas as pd
import pytest

from evaluation.top_lists import TopLists
from findings.list_table import diversity, popularity
from findings.ranker_use import centred, family_gain
from findings.slices import activity, levels, slices_of


def lists_of(*of_user: tuple[int, list[int]]) -> TopLists:
    user = [one for one, items in of_user for _ in items]
    rank = [place for _, items in of_user for place in range(1, len(items) + 1)]
    item = [thing for _, items in of_user for thing in items]
    columns = (np.array(of, dtype=np.int32) for of in (user, item, rank))
    return TopLists(*columns, np.zeros(len(user), dtype=np.float32))


LISTS = lists_of((2, [0, 1]), (5, [1, 2, 3]), (9, [0]))


def test_popularity_is_the_mean_share_of_the_list() -> None:
    share = np.array([0.5, 0.1, 0.2, 0.0])
    found = popularity(LISTS, np.array([2, 5, 7]), share)
    assert found[:2].tolist() == pytest.approx([(0.5 + 0.1) / 2, (0.1 + 0.2 + 0.0) / 3])
    assert np.isnan(found[2])  # user 7 has no list


def test_diversity_is_one_minus_the_mean_cosine() -> None:
    """Item 3 has no vector."""
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], dtype=np.float32)
    found = diversity(LISTS, np.array([2, 5, 9]), vectors)
    assert found[:2].tolist() == pytest.approx([1 - 0, 1 - 0.8])
    assert np.isnan(found[2])  # of one item there is no pair


def test_diversity_without_embeddings_is_unknown() -> None:
    assert np.isnan(diversity(LISTS, np.array([2, 5]), np.zeros((4, 0), np.float32))).all()


def test_activity_has_the_bounds_of_slices_csv() -> None:
    found = activity(np.array([0, 1, 9, 10, 199, 200]))
    assert found.tolist() == [
        *("none (cold)", "1 to 9", "1 to 9"),
        *("10 to 49", "50 to 199", "200 +"),
    ]


def test_levels_of_categories() -> None:
    values = pd.Series(pd.Categorical(["b", "a", None, "b"]))
    found = levels(values)
    assert found.tolist() == ["b", "a", "unknown", "b"]
    assert list(found.cat.categories) == ["a", "b", "unknown"]


def test_many_categories_end_in_others() -> None:
    names = [f"{number:02d}" for number in range(12) for _ in range(20 - number)]
    found = levels(pd.Series(pd.Categorical(names)))
    assert list(found.cat.categories) == [*(f"{number:02d}" for number in range(7)), "others"]
    assert (found == "others").sum() == sum(20 - number for number in range(7, 12))


def test_levels_of_numbers() -> None:
    few = levels(pd.Series([25.0, 18, np.nan]))
    assert few.tolist() == ["25", "18", "unknown"]
    many = levels(pd.Series(np.arange(1.0, 101.0)))
    assert many.value_counts().tolist() == [25, 25, 25, 25]
    assert many.iloc[[0, 99]].tolist() == ["1 to 25.75", "75.25 to 100"]


def test_slices_and_what_is_left_without_them() -> None:
    lists = pd.DataFrame(
        {
            "user": [0, 1, 2],
            "n_positives": [0, 5, 5],
            "ap_als": [0.1, 0.2, 0.3],
            "ap_hybrid": [0.1, 0.3, 0.5],
            **dict.fromkeys(("popular_als", "popular_hybrid"), [np.nan, 0.5, np.nan]),
            **dict.fromkeys(("tail_als", "tail_hybrid"), [np.nan] * 3),
        }
    )
    users = pd.DataFrame({"gender": pd.Categorical(["F", "M", "M"]), "same": [1.0, 1.0, 1.0]})
    found = {(one.dimension, one.level): one for one in slices_of(lists, users, 200, 0)}
    assert [name for name in found if name[0] != "positives in the history"] == [
        ("gender", "F"),
        ("gender", "M"),
        ("popularity of the item", "most popular tenth"),
    ]
    men = found["gender", "M"]
    assert (men.als, men.hybrid) == pytest.approx(((0.2 + 0.3) / 2, (0.3 + 0.5) / 2))
    assert men.gain.value == pytest.approx((0.1 + 0.2) / 2)
    assert (men.gain.n, men.rest.n, men.rest.value) == (2, 1, 0)
    assert found["popularity of the item", "most popular tenth"].rest is None


def test_what_is_alike_in_a_list_is_taken_off() -> None:
    values = np.array([[1.0, 5], [3, 5], [4, 0]])
    assert centred(values, np.array([7, 7, 9])).tolist() == [[-1, 0], [1, 0], [0, 0]]


def test_gain_of_a_family_is_that_of_its_features() -> None:
    gain = pd.DataFrame({"feature": ["a", "b", "c"], "gain": [0.5, 0.3, 0.2]})
    found = family_gain(gain, {"a": "als", "c": "als", "b": "item"})
    assert dict(zip(found["family"], found["gain"], strict=True)) == pytest.approx(
        {"als": 0.5 + 0.2, "item": 0.3}
    )
