"""Columns of the log for the rows of a history, channels too: by a plain reading of the rows."""

from collections.abc import Callable
from pathlib import Path

from core.feedback import CHANNELS, Channels, strengths
from core.history import INTERACTIONS, History, order_by_user

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from histories import history_of, random_rows, split_table


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


def every(channels: Channels) -> dict[str, np.ndarray]:
    return {name: channels[name] for name in channels.names}


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
    found = {**every(Channels(history)), "strength": strengths(history)}
    for name, column in values.items():
        merge = (lambda of: of[0]) if name == "agent" else max
        assert found[name].tolist() == [merge([column[i] for i in of]) for of in numbers]
    assert (found["strength"] > 0).tolist() == history.is_positive.tolist()
    # the same of new users, whose rows are given
    files = [pq.read_table(path) for path in (INTERACTIONS, CHANNELS)]
    given = {name: table[name].to_numpy() for table in files for name in table.column_names}
    of_given = {**every(Channels(history, given)), "strength": strengths(history, given)}
    assert list(of_given) == list(found)
    assert [of_given[name].tobytes() for name in found] == [v.tobytes() for v in found.values()]


@pytest.mark.parametrize("seed", range(5))
def test_the_future_changes_no_byte(history_of_files: Callable, seed: int) -> None:
    past = random_rows(seed, range(3))

    def columns(rows: list) -> dict[str, bytes]:
        history = history_of_files(rows, 3, of_rows(rows))
        channels = {name: values.tobytes() for name, values in every(Channels(history)).items()}
        return {**channels, "strength": strengths(history).tobytes()}

    alone = columns(past)
    for other in (1, 2):
        assert columns(past + random_rows(100 * other + seed, range(3, 5))) == alone
    assert columns([*past, (0, 0, 2, 4)]) != alone
