"""Merging what the sources retrieved, cutting into blocks of whole lists, and the file."""

from pathlib import Path

from core import candidate_lists
from core.candidate_lists import Candidates, append, concatenate, merge, read

import numpy as np
import pyarrow.parquet as pq
import pytest


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


def lists_of(sizes: list[int]) -> Candidates:
    """Users 0, 1, … with so many candidates each."""
    user = np.repeat(np.arange(len(sizes), dtype=np.int32), np.array(sizes, dtype=np.int64))
    item = np.arange(len(user), dtype=np.int32)
    rank = {"als": (item % 7).astype(np.int16)}
    score = {"als": (item / 3).astype("f4"), "ease": (2 * item).astype("f4")}
    return Candidates(user, item, rank, score)


@pytest.mark.parametrize(
    ("blocks", "max_rows", "expected"),
    [
        ([[2, 3], [1]], 10**6, [5, 1]),
        ([[2, 2, 3, 1, 5, 1]], 4, [4, 4, 5, 1]),  # whole lists, also longer ones
        # pyarrow would start a row group after 1024 * 1024 rows, in the middle of a list
        ([[3] * 350_000], 10**6, [999_999, 50_001]),
        ([], 10**6, [0]),  # a fold without any user is a file without row groups
    ],
)
def test_what_is_written_is_read(
    blocks: list, max_rows: int, expected: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidate_lists, "FOLDER", tmp_path)
    written = [lists_of([])]
    with pq.ParquetWriter(tmp_path / "test.parquet", written[0].table().schema) as file:
        for number, sizes in enumerate(blocks):
            written.append(lists_of([0] * sum(map(len, blocks[:number])) + sizes))
            append(file, written[-1])
    found = list(read("test", max_rows))
    assert [len(block.user) for block in found] == expected
    tables = [concatenate(lists).table() for lists in (found, written)]
    assert tables[0].equals(tables[1])  # the schema, too
    names = pq.read_schema(tmp_path / "test.parquet").names
    assert names == ["user", "item", "als_rank", "als_score", "ease_score"]
