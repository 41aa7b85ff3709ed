"""Columns of the log for the rows of a history, channels too: by a plain reading of the rows."""

from pathlib import Path

from core import tables
from core.feedback import CHANNELS, Channels, strengths
from core.history import INTERACTIONS, History, order_by_user

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from histories import history_of, random_rows, split_table


def of_rows(rows: list[tuple[int, int, int, int]]) -> dict[str, pa.Array]:
    """Channels that are functions of the row, for any rows."""
    user, item, window, strength = np.array(rows).T
    return {
        "share": pa.array((user + item + window) % 3 == 0),
        "timespent": pa.array((7 * user + 5 * item + 3 * window + strength) % 256, pa.uint8()),
        "agent": pa.array((user + window) % 5, pa.uint8()),
    }


def every(history: History, *given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    channels = Channels(history, *given)
    values = {name: channels[name] for name in tables.CHANNELS if name in channels}
    return {**values, "strength": strengths(history, *given)}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1_000_000, 7])
def test_what_a_plain_reading_says(
    seed: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest value of a pair's rows in the history; of settings, the first."""
    monkeypatch.chdir(tmp_path)
    rows = random_rows(seed, range(4))
    columns = of_rows(rows)
    table = pa.table(columns).take(order_by_user(np.array(rows)[:, 0]))
    INTERACTIONS.parent.mkdir(parents=True)
    pq.write_table(split_table(rows), INTERACTIONS, row_group_size=size)
    pq.write_table(table, CHANNELS, row_group_size=size)
    history = history_of(rows, 3)
    values = {name: column.to_pylist() for name, column in columns.items()}
    values["strength"] = [strength for *_, strength in rows]
    of_pair: dict[tuple[int, int], list[int]] = {}
    for number, (user, item, window, _) in enumerate(rows):
        if window < 3:
            of_pair.setdefault((user, item), []).append(number)
    users, items = history.users[history.user].tolist(), history.items[history.item].tolist()
    numbers = [of_pair[pair] for pair in zip(users, items, strict=True)]
    found = every(history)
    for name, column in values.items():
        merge = (lambda of: of[0]) if name == "agent" else max
        assert found[name].tolist() == [merge([column[i] for i in of]) for of in numbers]
    # the same of new users, whose rows are given
    files = [pq.read_table(path) for path in (INTERACTIONS, CHANNELS)]
    given = {name: table[name].to_numpy() for table in files for name in table.column_names}
    of_given = every(history, given)
    assert {name: of_given[name].tobytes() for name in found} == {
        name: values.tobytes() for name, values in found.items()
    }
