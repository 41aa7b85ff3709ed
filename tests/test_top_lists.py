"""Top-k lists: the cut, the ties, the hits."""

from harness.script import InputError

import numpy as np
import pytest

from evaluation.top_lists import TopLists, check_length, concatenate, top_k
from folds.history import Target

USER = np.array([2, 2, 2, 2, 7, 7, 9], dtype=np.int32)
ITEM = np.array([10, 11, 12, 13, 10, 14, 11], dtype=np.int32)
TARGET = Target(
    np.array([2, 5, 7], dtype=np.int32),
    np.array([2, 2, 7], dtype=np.int32),
    np.array([12, 99, 14], dtype=np.int32),
    np.array([1, 1, 3], dtype=np.uint8),
)


def rows(lists: TopLists) -> list[tuple[int, int, int, float]]:
    columns = (lists.user, lists.item, lists.rank, lists.score)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_the_best_rows_of_each_user() -> None:
    score = np.array([0.5, 2.0, -1.0, 1.0, -3.0, -2.0, 0.0])
    assert rows(top_k(USER, ITEM, score, 2)) == [
        (2, 11, 1, 2.0),
        (2, 13, 2, 1.0),
        (7, 14, 1, -2.0),
        (7, 10, 2, -3.0),
        (9, 11, 1, 0.0),
    ]


def test_a_list_shorter_than_k_stays_short() -> None:
    lists = top_k(USER, ITEM, np.zeros(7), 100)
    assert lists.rank.tolist() == [1, 2, 3, 4, 1, 2, 1]
    assert (lists.rank.dtype, lists.score.dtype) == (np.int16, np.float32)


def test_ties_keep_the_order_of_the_candidates() -> None:
    score = np.array([1.0, 1.0, 2.0, 1.0, 0.0, 0.0, 0.0])
    assert top_k(USER, ITEM, score, 3).item.tolist() == [12, 10, 11, 10, 14, 11]
    backwards = top_k(USER, np.array([13, 12, 11, 10, 14, 10, 11]), score, 3)
    assert backwards.item.tolist() == [11, 13, 12, 14, 10, 11]


def test_scores_that_only_float64_tells_apart_are_no_tie() -> None:
    score = np.array([1.0, 1.0 + 1e-12, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert top_k(USER, ITEM, score, 1).item.tolist() == [11, 10, 11]


def test_ties_among_many() -> None:
    """An unstable sort shows only in longer lists."""
    user = np.zeros(1000, dtype=np.int32)
    item = np.random.default_rng(0).permutation(1000).astype(np.int32)
    score = (np.arange(1000) % 3).astype(np.float64)
    expected = [int(item[row]) for wanted in (2, 1, 0) for row in range(wanted, 1000, 3)]
    assert top_k(user, item, score, 1000).item.tolist() == expected


def test_no_rows() -> None:
    assert rows(top_k(USER[:0], ITEM[:0], np.zeros(0), 5)) == []


def test_hits_of_judged_users() -> None:
    """User 5 has no list, user 9 is not judged, the last place of a short list is no hit."""
    lists = top_k(USER, ITEM, np.arange(7, 0, -1), 3)
    hits = lists.hits(TARGET, np.array([2, 5, 7]), 3)
    np.testing.assert_array_equal(
        hits, [[False, False, True], [False, False, False], [False, True, False]]
    )


def test_a_user_beyond_the_last_judged_one_scores_for_nobody() -> None:
    lists = top_k(USER, ITEM, np.arange(7, 0, -1), 3)
    assert lists.hits(TARGET, np.array([5]), 3).tolist() == [[False, False, False]]


@pytest.mark.parametrize("seed", range(20))
def test_hits_equal_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = sorted({(int(rng.integers(6)), int(rng.integers(8))) for _ in range(12)})
    target_user, target_item = np.array(pairs, dtype=np.int32).T
    target = Target(
        np.unique(target_user), target_user, target_item, np.ones(len(pairs), dtype=np.uint8)
    )
    user = np.repeat(np.arange(8, dtype=np.int32), 5)
    item = np.concatenate([rng.permutation(8)[:5] for _ in range(8)]).astype(np.int32)
    lists = top_k(user, item, rng.integers(0, 3, len(user)), 4)
    judged = np.unique(target_user)
    expected = np.zeros((len(judged), 4), dtype=bool)
    for one, thing, rank, _ in rows(lists):
        if (one, thing) in pairs:
            expected[judged.tolist().index(one), rank - 1] = True
    np.testing.assert_array_equal(lists.hits(target, judged, 4), expected)


def test_concatenate() -> None:
    lists = top_k(USER, ITEM, np.arange(7, 0, -1), 3)
    parts = [top_k(USER[:4], ITEM[:4], np.arange(7, 3, -1), 3)]
    parts.append(top_k(USER[4:], ITEM[4:], np.arange(3, 0, -1), 3))
    assert rows(concatenate(parts)) == rows(lists)


def test_lists_are_as_long_as_what_each_source_retrieves() -> None:
    check_length(10, per_source=10)
    with pytest.raises(InputError, match="evaluate.k is 11: must be at most candidates.per_source"):
        check_length(11, per_source=10)
