"""Top-k lists: the cut, the ties, the hits."""

from core.history import Target
from core.script import InputError
from core.top_lists import TopLists, check_length, top_k

import numpy as np
import pytest

USER = np.array([2, 2, 2, 2, 7, 7, 9], dtype=np.int32)
ITEM = np.array([10, 11, 12, 13, 10, 14, 11], dtype=np.int32)


def rows(lists: TopLists) -> list[tuple[int, int, int, float]]:
    columns = (lists.user, lists.item, lists.rank, lists.score)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_the_best_rows_of_each_user() -> None:
    score = np.array([0.5, 2.0, -1.0, 1.0, -3.0, -2.0, 0.0])
    expected = [(2, 11, 1, 2), (2, 13, 2, 1), (7, 14, 1, -2), (7, 10, 2, -3), (9, 11, 1, 0)]
    assert rows(top_k(USER, ITEM, score, 2)) == expected


def test_a_list_shorter_than_k_stays_short() -> None:
    """Scores that only float64 tells apart are no tie."""
    lists = top_k(USER, ITEM, np.array([1.0, 1.0 + 1e-12, 0, 0, 0, 0, 0]), 100)
    assert lists.rank.tolist() == [1, 2, 3, 4, 1, 2, 1]
    assert lists.item.tolist() == [11, 10, 12, 13, 10, 14, 11]
    assert (lists.rank.dtype, lists.score.dtype) == (np.int16, np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_hits_equal_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = sorted({(int(rng.integers(6)), int(rng.integers(8))) for _ in range(12)})
    target_user, target_item = np.array(pairs, dtype=np.int32).T
    judged, strength = np.unique(target_user), np.ones(len(pairs), dtype=np.uint8)
    target = Target(judged, target_user, target_item, strength)
    user = np.repeat(np.arange(8, dtype=np.int32), 5)
    item = np.concatenate([rng.permutation(8)[:5] for _ in range(8)]).astype(np.int32)
    lists = top_k(user, item, rng.integers(0, 3, len(user)), 4)
    expected = np.zeros((len(judged), 4), dtype=bool)
    for one, thing, rank, _ in rows(lists):
        if (one, thing) in pairs:
            expected[judged.tolist().index(one), rank - 1] = True
    np.testing.assert_array_equal(lists.hits(target, judged, 4), expected)


def test_lists_are_as_long_as_what_each_source_retrieves() -> None:
    check_length(10, per_source=10)
    with pytest.raises(InputError, match="evaluate.k is 11: must be at most candidates.per_source"):
        check_length(11, per_source=10)
