"""Columns of the log for the rows of a history, channels too: by a plain reading of the rows."""

from collections.abc import Callable
from pathlib import Path

from core import feedback as columns
from core.feedback import CHANNELS, Channels, strengths
from core.history import INTERACTIONS, History, order_by_user

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from histories import LIKED, SEEN, history_of, random_rows, split_table

ROWS = [  # user, item, window, strength, in time order
    (5, 7, 0, LIKED),
    (2, 7, 0, SEEN),
    (5, 3, 1, SEEN),
    (2, 9, 1, 2),
    (5, 9, 2, LIKED),
]


@pytest.fixture
def history_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list, int, dict], History]:
    """Writes the two files of `split` for these rows and channels; the history before a window."""
    monkeypatch.chdir(tmp_path)

    def write(rows: list, window: int, channels: dict, size: int = 1_000_000) -> History:
        table = split_table(rows)
        order = order_by_user(np.array(rows)[:, 0])
        INTERACTIONS.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, INTERACTIONS, row_group_size=size)
        pq.write_table(pa.table(channels).take(order), CHANNELS, row_group_size=size)
        return history_of(rows, window)

    return write


CHANNELS_OF_ROWS = {
    "like": pa.array([True, False, False, True, True]),
    "timespent": pa.array([1, 2, 3, 4, 5], pa.uint8()),
    "place": pa.array([10, 20, 30, 40, 50], pa.uint8()),
}


def test_rows_before_the_target_in_the_order_of_the_history(history_of_files: Callable) -> None:
    history = history_of_files(ROWS, 2, CHANNELS_OF_ROWS)
    assert history.items[history.item].tolist() == [7, 9, 7, 3]
    channels = Channels(history)
    assert list(channels) == ["like", "timespent", "place"]
    assert len(channels) == 3
    assert channels["like"].tolist() == [False, True, True, False]
    assert channels["timespent"].tolist() == [2, 4, 1, 3]
    assert channels["place"].tolist() == [20, 40, 10, 30]
    assert strengths(history).tolist() == [0, 2, 1, 0]
    assert [channels[name].dtype for name in channels] == [bool, np.uint8, np.uint8]
    assert strengths(history).dtype == np.uint8


def of_rows(rows: list[tuple[int, int, int, int]]) -> dict[str, pa.Array]:
    """Channels that are functions of the row, for any rows."""
    user, item, window, strength = np.array(rows).T
    return {
        "share": pa.array((user + item + window) % 3 == 0),
        "timespent": pa.array((7 * user + 5 * item + 3 * window + strength) % 256, pa.uint8()),
        "agent": pa.array((user + window) % 5, pa.uint8()),
    }


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1_000_000, 7])
def test_what_a_plain_reading_says(history_of_files: Callable, seed: int, size: int) -> None:
    rows = random_rows(seed, range(4))
    history = history_of_files(rows, 3, of_rows(rows), size)
    values = {name: column.to_pylist() for name, column in of_rows(rows).items()}
    values["strength"] = [strength for *_, strength in rows]
    of_pair: dict[tuple[int, int], list[int]] = {}
    for number, (user, item, window, _) in enumerate(rows):
        if window < 3:
            of_pair.setdefault((user, item), []).append(number)
    users, items = history.users[history.user].tolist(), history.items[history.item].tolist()
    numbers = [of_pair[pair] for pair in zip(users, items, strict=True)]
    found = {**Channels(history), "strength": strengths(history)}
    for name, column in values.items():
        merge = (lambda of: of[0]) if name == "agent" else max
        assert found[name].tolist() == [merge([column[i] for i in of]) for of in numbers]
    assert (found["strength"] > 0).tolist() == history.is_positive.tolist()
    # the same of new users, whose rows are given
    files = [pq.read_table(path) for path in (INTERACTIONS, CHANNELS)]
    given = {name: table[name].to_numpy() for table in files for name in table.column_names}
    of_given = {**Channels(history, given), "strength": strengths(history, given)}
    assert list(of_given) == list(found)
    assert [of_given[name].tobytes() for name in found] == [v.tobytes() for v in found.values()]


@pytest.mark.parametrize("seed", range(5))
def test_the_future_changes_no_byte(history_of_files: Callable, seed: int) -> None:
    past = random_rows(seed, range(3))

    def columns(rows: list) -> dict[str, bytes]:
        history = history_of_files(rows, 3, of_rows(rows))
        channels = {name: values.tobytes() for name, values in Channels(history).items()}
        return {**channels, "strength": strengths(history).tobytes()}

    alone = columns(past)
    for other in (1, 2):
        assert columns(past + random_rows(100 * other + seed, range(3, 5))) == alone
    assert columns([*past, (0, 0, 2, 4)]) != alone


def test_a_column_is_read_when_it_is_asked_for_and_no_other(
    history_of_files: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = history_of_files(ROWS, 2, CHANNELS_OF_ROWS)
    read = []

    def noted(path: Path, name: str) -> object:
        read.append(name)
        return real(path, name)

    real = columns.read_column
    monkeypatch.setattr(columns, "read_column", noted)
    channels = Channels(history)
    assert (list(channels), read) == (["like", "timespent", "place"], [])
    assert ("like" in channels, "share" in channels, read) == (True, False, [])
    assert channels["like"].any()
    assert sorted(read) == ["is_repeat", "like", "window"]
