"""Merging what the sources retrieved, cutting into blocks of whole lists, and the file."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from folds import candidate_lists
from folds.candidate_lists import (
    CandidateListParams,
    Candidates,
    Retrieved,
    append,
    fallback_lists,
    merge,
    read,
    split,
    writer,
)

NAN = np.nan


def found(item: list[list[int]], score: list[list[float]] | None = None) -> Retrieved:
    items = np.array(item, dtype=np.int32)
    return Retrieved(items, np.array(score if score else items * 10, dtype=np.float32))


def assert_same(one: Candidates, other: Candidates) -> None:
    """Values, dtypes and the order of the sources."""
    assert list(one.rank) == list(other.rank) == list(one.score) == list(other.score)
    pairs = [(one.user, other.user), (one.item, other.item)]
    pairs += [(one.rank[name], other.rank[name]) for name in one.rank]
    pairs += [(one.score[name], other.score[name]) for name in one.score]
    for left, right in pairs:
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


def test_merge_by_best_rank_then_source_then_item() -> None:
    """Best ranks: 4 by als 1, 8 by knn 1, 6 by als 2 and knn 3, 2 by knn 2, 1 by als 3."""
    lists = merge(
        np.array([5]),
        {
            "als": found([[4, 6, 1]], [[0.9, 0.8, 0.7]]),
            "knn": found([[8, 2, 6]], [[3.0, 2.0, 1.0]]),
        },
        n_items=10,
    )
    assert_same(
        lists,
        Candidates(
            np.array([5, 5, 5, 5, 5], dtype=np.int32),
            np.array([4, 8, 6, 2, 1], dtype=np.int32),
            {
                "als": np.array([1, 0, 2, 0, 3], dtype=np.int16),
                "knn": np.array([0, 1, 3, 2, 0], dtype=np.int16),
            },
            {
                "als": np.array([0.9, NAN, 0.8, NAN, 0.7], dtype=np.float32),
                "knn": np.array([NAN, 3.0, 1.0, 2.0, NAN], dtype=np.float32),
            },
        ),
    )


def test_merge_keeps_users_apart_and_skips_the_padding() -> None:
    lists = merge(
        np.array([3, 9]), {"als": found([[1, 0], [0, -1]]), "knn": found([[-1, -1], [2, 0]])}, 3
    )
    assert lists.user.tolist() == [3, 3, 9, 9]
    assert lists.item.tolist() == [1, 0, 0, 2]
    assert lists.rank["als"].tolist() == [1, 2, 1, 0]
    assert lists.rank["knn"].tolist() == [0, 0, 2, 1]
    assert lists.is_retrieved.all()  # by either source
    assert lists.starts.tolist() == [0, 2]
    assert lists.group.tolist() == [2, 2]


@pytest.mark.parametrize("seed", range(20))
def test_merge_equals_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_items, n = 12, 5
    users = np.array([2, 3, 11])
    sources = {}
    for name in ("als", "knn", "content"):
        item = np.stack([rng.permutation(n_items)[:n] for _ in users]).astype(np.int32)
        for row, end in enumerate(rng.integers(0, n + 1, len(users))):
            item[row, end:] = -1
        sources[name] = Retrieved(item, rng.random(item.shape, dtype=np.float32))
    rows = []
    for row, user in enumerate(users.tolist()):
        best = {}
        for number, name in enumerate(sources):
            for place, item in enumerate(sources[name].item[row].tolist()):
                if item >= 0:
                    best[item] = min(best.get(item, (n + 1, 0)), (place + 1, number))
        rows += [(user, item) for item in sorted(best, key=lambda item: (*best[item], item))]
    lists = merge(users, sources, n_items)
    assert list(zip(lists.user.tolist(), lists.item.tolist(), strict=True)) == rows
    for name, given in sources.items():
        for place, (user, item) in enumerate(rows):
            row = users.tolist().index(user)
            at = np.flatnonzero(given.item[row] == item)
            assert lists.rank[name][place] == (at[0] + 1 if len(at) else 0)
            score = given.score[row, at[0]] if len(at) else NAN
            np.testing.assert_equal(lists.score[name][place], score)


def test_merge_of_nothing() -> None:
    nothing = Retrieved(np.zeros((0, 4), np.int32), np.zeros((0, 4), np.float32))
    lists = merge(np.zeros(0, dtype=np.int32), {"als": nothing}, n_items=3)
    assert (len(lists.user), lists.starts.tolist(), lists.group.tolist()) == (0, [], [])


def test_fallback_lists_keep_the_order_and_no_source_retrieved_them() -> None:
    lists = fallback_lists(np.array([4, 6]), found([[7, 1, -1], [0, 5, 9]]), ["als", "knn"])
    assert_same(
        lists,
        Candidates(
            np.array([4, 4, 6, 6, 6], dtype=np.int32),
            np.array([7, 1, 0, 5, 9], dtype=np.int32),
            {name: np.zeros(5, dtype=np.int16) for name in ("als", "knn")},
            {name: np.full(5, NAN, dtype=np.float32) for name in ("als", "knn")},
        ),
    )
    assert not lists.is_retrieved.any()


def lists_of(sizes: list[int]) -> Candidates:
    """Users 0, 1, … with so many candidates each."""
    user = np.repeat(np.arange(len(sizes), dtype=np.int32), np.array(sizes, dtype=np.int64))
    item = np.arange(len(user), dtype=np.int32)
    rank = {"als": (item % 7).astype(np.int16)}
    return Candidates(user, item, rank, {"als": (item / 3).astype(np.float32)})


@pytest.mark.parametrize(
    ("sizes", "max_rows", "expected"),
    [
        ([2, 2, 2], 4, [4, 2]),
        ([2, 2, 2], 5, [4, 2]),
        ([2, 2, 2], 6, [6]),
        ([2, 2, 2], 1, [2, 2, 2]),
        ([1, 9, 1, 1], 3, [1, 9, 2]),  # one list alone is longer
        ([9, 1], 3, [9, 1]),
        ([1, 9], 3, [1, 9]),
        ([5], 5, [5]),
        ([], 5, [0]),  # at least one block
    ],
)
def test_split_yields_whole_lists(sizes: list[int], max_rows: int, expected: list[int]) -> None:
    lists = lists_of(sizes)
    blocks = list(split(lists, max_rows))
    assert [len(block.user) for block in blocks] == expected
    assert_same(candidate_lists.concatenate(blocks), lists)


@pytest.mark.parametrize("seed", range(30))
def test_split_covers_every_row_once_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = lists_of(rng.integers(1, 9, rng.integers(1, 30)).tolist())
    max_rows = int(rng.integers(1, 25))
    blocks = list(split(lists, max_rows))
    assert_same(candidate_lists.concatenate(blocks), lists)
    assert all(len(block.user) <= max_rows or len(block.group) == 1 for block in blocks)
    for left, right in zip(blocks, blocks[1:], strict=False):
        assert left.user[-1] < right.user[0]  # no list in two blocks
        assert len(left.user) + right.group[0] > max_rows  # and no block could be longer


@pytest.mark.parametrize("blocks", [[[2, 3], [1]], [[4]], []], ids=["two", "one", "none"])
def test_what_is_written_is_read(
    blocks: list[list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold without any user is a file without row groups."""
    monkeypatch.chdir(tmp_path)
    path = Path(candidate_lists.CANDIDATES.format(fold="test"))
    path.parent.mkdir(parents=True)
    first = 0
    written = [lists_of([])]
    with writer(path, ["als"]) as file:
        for sizes in blocks:
            lists = lists_of([0] * first + sizes)
            file.write_table(lists.table())
            written.append(lists)
            first += len(sizes)
    result = list(read("test"))
    assert_same(candidate_lists.concatenate(result), candidate_lists.concatenate(written))
    assert pq.read_schema(path).names == ["user", "item", "als_rank", "als_score"]


def test_read_in_small_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(candidate_lists.CANDIDATES.format(fold="label_1"))
    path.parent.mkdir(parents=True)
    lists = lists_of([2, 2, 3, 1])
    with writer(path, ["als"]) as file:
        file.write_table(lists.table())
    blocks = list(read("label_1", max_rows=4))
    assert [len(block.user) for block in blocks] == [4, 4]
    assert_same(candidate_lists.concatenate(blocks), lists)


def test_a_list_is_whole_at_the_end_of_a_row_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyarrow would start a new row group after 1024 * 1024 rows, in the middle of a list of 3."""
    monkeypatch.chdir(tmp_path)
    path = Path(candidate_lists.CANDIDATES.format(fold="test"))
    path.parent.mkdir(parents=True)
    lists = lists_of([3] * 350_000)
    with writer(path, ["als"]) as file:
        append(file, lists)
    for block in read("test"):
        assert set(block.group.tolist()) == {3}


def test_take() -> None:
    lists = lists_of([2, 3])
    mask = np.array([True, False, False, True, True])
    assert_same(lists.take(mask), lists.take(np.array([0, 3, 4])))
    assert lists.take(mask).group.tolist() == [1, 2]
    assert lists.take(slice(2, 5)).item.tolist() == [2, 3, 4]


@pytest.mark.parametrize("sources", [["item_knn"], ["ease", "als"], ["als", "ease", "ease"], []])
def test_als_comes_first_and_each_source_once(sources: list[str]) -> None:
    with pytest.raises(ValidationError, match="must start with als and name each source once"):
        CandidateListParams(sources=sources, per_source=10, label_users=0)
