"""Merging what the sources retrieved, cutting into blocks of whole lists, and the file."""

from pathlib import Path

from core import candidate_lists
from core.candidate_lists import (
    CandidateListParams,
    Candidates,
    append,
    concatenate,
    fallback_lists,
    merge,
    read,
    split,
)

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from histories import CANDIDATES


def assert_same(one: Candidates, other: Candidates) -> None:
    """Values, dtypes and the order of the columns."""
    assert one.table().schema == other.table().schema
    assert one.table().equals(other.table())


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("users", [[2, 3, 11], [4], []])
def test_merge_equals_a_plain_loop(seed: int, users: list[int]) -> None:
    rng = np.random.default_rng(seed)
    n_items, n = 12, 5
    sources = {}
    for name in ("als", "knn", "content"):
        item = np.array([rng.permutation(n_items)[:n] for _ in users], np.int32).reshape(-1, n)
        for row, end in enumerate(rng.integers(0, n + 1, len(users))):
            item[row, end:] = -1
        sources[name] = item
    rows, starts = [], []
    for row, user in enumerate(users):
        best = {}
        for number, item in enumerate(sources.values()):
            for place, one in enumerate(item[row].tolist()):
                if one >= 0:
                    best[one] = min(best.get(one, (n + 1, 0)), (place + 1, number))
        starts += [len(rows)] if best else []
        rows += [(user, item) for item in sorted(best, key=lambda item: (*best[item], item))]
    lists = merge(np.array(users, int), sources, n_items)
    assert list(zip(lists.user.tolist(), lists.item.tolist(), strict=True)) == rows
    assert lists.starts.tolist() == starts
    assert lists.group.tolist() == np.diff([*starts, len(rows)]).tolist()
    assert lists.is_retrieved.all()  # by any source
    for name, item in sources.items():
        ranks = [[*item[users.index(user)].tolist(), one].index(one) + 1 for user, one in rows]
        assert lists.rank[name].tolist() == [rank if rank <= n else 0 for rank in ranks]


def test_fallback_lists_keep_the_order_and_no_source_retrieved_them() -> None:
    items = np.array([[7, 1, -1], [0, 5, 9]], dtype=np.int32)
    lists = fallback_lists(np.array([4, 6]), items, ["als", "knn"])
    user, item = np.array([4, 4, 6, 6, 6], np.int32), np.array([7, 1, 0, 5, 9], np.int32)
    none = np.zeros(5, dtype=np.int16)
    assert_same(lists, Candidates(user, item, {"als": none, "knn": none}, {}))
    assert not lists.is_retrieved.any()


def lists_of(sizes: list[int]) -> Candidates:
    """Users 0, 1, … with so many candidates each."""
    user = np.repeat(np.arange(len(sizes), dtype=np.int32), np.array(sizes, dtype=np.int64))
    item = np.arange(len(user), dtype=np.int32)
    rank = {"als": (item % 7).astype(np.int16)}
    return Candidates(
        user, item, rank, {"als": (item / 3).astype("f4"), "ease": (2 * item).astype("f4")}
    )


@pytest.mark.parametrize("seed", range(20))
def test_split_covers_every_row_once_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = lists_of(rng.integers(1, 9, rng.integers(1, 30)).tolist())
    max_rows = int(rng.integers(1, 25))
    blocks = list(split(lists, max_rows))
    assert_same(concatenate(blocks), lists)
    assert all(len(block.user) <= max_rows or len(block.group) == 1 for block in blocks)
    for left, right in zip(blocks, blocks[1:], strict=False):
        assert left.user[-1] < right.user[0]  # no list in two blocks
        assert len(left.user) + right.group[0] > max_rows  # and no block could be longer


@pytest.mark.parametrize(
    ("blocks", "max_rows", "expected"),
    [
        ([[2, 3], [1]], 10**6, [5, 1]),
        ([[2, 2, 3, 1]], 4, [4, 4]),
        ([], 10**6, [0]),  # a fold without any user is a file without row groups
    ],
)
def test_what_is_written_is_read(
    blocks: list[list[int]],
    max_rows: int,
    expected: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(candidate_lists, "FOLDER", tmp_path)
    written, first = [lists_of([])], 0
    columns = written[0].table().schema
    with pq.ParquetWriter(tmp_path / "test.parquet", columns) as file:
        for sizes in blocks:
            written.append(lists_of([0] * first + sizes))
            append(file, written[-1])
            first += len(sizes)
    found = list(read("test", max_rows))
    assert [len(block.user) for block in found] == expected
    assert_same(concatenate(found), concatenate(written))
    names = pq.read_schema(tmp_path / "test.parquet").names
    assert names == ["user", "item", "als_rank", "als_score", "ease_score"]


def test_a_list_is_whole_at_the_end_of_a_row_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyarrow would start a new row group after 1024 * 1024 rows, in the middle of a list of 3."""
    monkeypatch.setattr(candidate_lists, "FOLDER", tmp_path)
    with pq.ParquetWriter(tmp_path / "test.parquet", lists_of([]).table().schema) as file:
        append(file, lists_of([3] * 350_000))
    for block in read("test"):
        assert set(block.group.tolist()) == {3}


@pytest.mark.parametrize("sources", [["item_knn"], ["ease", "als"], ["als", "ease", "ease"], []])
def test_als_comes_first_and_each_source_once(sources: list[str]) -> None:
    with pytest.raises(ValidationError, match="must start with als and have each source once"):
        CandidateListParams(**{**dict(CANDIDATES), "sources": sources})
