"""Reads the log of interactions of VK-LSVD, in the public layout and in the notebook's.

In two passes, a batch of rows at a time: the distinct ids, then the columns, with ids mapped to row
numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.script import InputError, report

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from readers.ids import Collector, Ids
from readers.parquet import batches, describe, require
from readers.positive_rule import Rule, values
from readers.vk_channels import Channels, channels_of

ID_COLUMNS = ("user_id", "item_id")
STRENGTH_COLUMNS = ("like", "share", "bookmark")  # each adds 1 to a positive's strength, 4 at most


@dataclass(frozen=True)
class Log:
    """The interactions of several files, in the order of the files and their rows.

    columns  as in data/interactions.parquet: user, item int32, is_positive bool, strength uint8;
             channels  the same: those of tables.CHANNELS that all files have; metadata  what the
             schema says of them
    users, items  the ids that occur; n_rows  of each file
    """

    columns: dict[str, np.ndarray]
    channels: dict[str, pa.ChunkedArray]
    metadata: dict[bytes, bytes]
    users: Ids
    items: Ids
    n_rows: list[int]


def read_log(paths: Sequence[Path], rule: Rule) -> Log:
    """The interactions in the files, oldest first; InputError where no row or none is positive.

    Reports how many rows lack a value of a column that the rule reads.
    """
    n_rows = [describe(path)[1] for path in paths]
    if not any(n_rows):
        raise InputError(f"{paths[0]} to {paths[-1].name}: no rows; interactions are needed")
    files = [path for path, n in zip(paths, n_rows, strict=True) if n]
    channel_names = _channels(files, rule)
    feedback = list(dict.fromkeys([*rule.columns, *channel_names]))
    users, items = _distinct_ids(files, sum(n_rows))
    columns, channels = _empty_columns(sum(n_rows)), Channels(channel_names)
    n_missing = dict.fromkeys(rule.columns, 0)
    for rows, path, batch in _all_batches(files, feedback, sum(n_rows), "interactions"):
        is_positive = rule.evaluate(batch)
        columns["user"][rows] = users.rows(batch["user_id"], f"{path}: user_id")
        columns["item"][rows] = items.rows(batch["item_id"], f"{path}: item_id")
        columns["is_positive"][rows] = is_positive
        columns["strength"][rows] = strength(is_positive, batch)
        channels.add(batch)
        for name in n_missing:
            n_missing[name] += np.count_nonzero(values(batch[name])[1])
    for name, n in n_missing.items():
        if n:
            report(f"data.positive: {name} is null or NaN in {n:,} rows, that is, not given there")
    _check_positives(columns["is_positive"], rule)
    return Log(columns, channels.columns(), channels.metadata(), users, items, n_rows)


def _empty_columns(n_rows: int) -> dict[str, np.ndarray]:
    """The columns of a Log, to be filled."""
    types = {"user": np.int32, "item": np.int32, "is_positive": bool, "strength": np.uint8}
    return {name: np.empty(n_rows, dtype) for name, dtype in types.items()}


def _check_positives(is_positive: np.ndarray, rule: Rule) -> None:
    """InputError where no interaction is positive."""
    if not is_positive.any():
        raise InputError(
            f"data.positive is {rule.text!r}: none of {len(is_positive):,} interactions is positive"
        )


def strength(is_positive: np.ndarray, feedback: pa.Table) -> np.ndarray:
    """uint8 (n_rows,): 0 where not positive, else 1 and 1 more for each of STRENGTH_COLUMNS that is
    given.

    Columns that the table lacks are taken as not given, and so are missing values.
    """
    result = is_positive.astype(np.uint8)
    for name in STRENGTH_COLUMNS:
        if name in feedback.column_names:
            value, is_missing = values(feedback[name])
            result += is_positive & (value != 0) & ~is_missing
    return result


def _channels(paths: Sequence[Path], rule: Rule) -> list[str]:
    """The channels that all files have; InputError where a file has not what the rule needs."""
    schemas = {path: require(path, ID_COLUMNS) for path in paths}
    for path, schema in schemas.items():
        feedback = pa.schema([field for field in schema if field.name not in ID_COLUMNS])
        try:
            rule.check(feedback)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    return channels_of(schemas)


def _distinct_ids(paths: Sequence[Path], total: int) -> tuple[Ids, Ids]:
    """The users and the items of the interactions."""
    users, items = (Collector(name) for name in ID_COLUMNS)
    for _, path, batch in _all_batches(paths, [], total, "ids"):
        users.add(batch["user_id"], path)
        items.add(batch["item_id"], path)
    return users.ids(), items.ids()


def _all_batches(
    paths: Sequence[Path], feedback: Sequence[str], total: int, what: str
) -> Iterator[tuple[slice, Path, pa.Table]]:
    """(rows, path, batch): ids and feedback of all files, and the rows of the log they make up."""
    start = 0
    with tqdm(total=total, desc=what, unit=" rows", unit_scale=True, disable=None) as progress:
        for path in paths:
            for batch in batches(path, [*ID_COLUMNS, *feedback]):
                yield slice(start, start + batch.num_rows), path, batch
                start += batch.num_rows
                progress.update(batch.num_rows)
