"""Reads any log and its tables of users and items. data.table defines the columns.

data/README.md describes the files; table_files.py reads them. Users without an interaction are left
out. Items without one are kept, because they can be recommended. If the files have no embeddings,
they are made from titles and tags, as in movielens.py.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from core.script import InputError, report
from core.tables import Tables

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from readers import movielens, vk_lsvd
from readers.ids import all_ids, distinct, places_of, rows_of
from readers.params import ReaderParams, TableParams
from readers.parquet import is_number, is_string, number
from readers.positive_rule import Rule, report_unknown, with_numbers
from readers.table_files import INSTANT, NUMBER, Rows, is_number_of_column, read_rows
from readers.time_order import EARLIEST_S, LATEST_S, TIMESTAMP, UNITS, in_time_order, times_of
from readers.vk import category, embeddings_of
from readers.vk_notebook import vectors_of

MOST_LEVELS = 100  # text with more different values is a feature only if data.table lists it
INDEX = {"", "Unnamed: 0", "__index_level_0__"}  # columns that pandas adds
YEAR = r"\s*\(\d{4}\)\s*$"  # at the end of a title; not used for the embedding
WHOLE = r"^(0|-?[1-9][0-9]{0,18})$"  # text that fits an integer and has no leading zeros


class Log(NamedTuple):
    """Interactions in time order."""

    user_id: pa.ChunkedArray
    item_id: pa.ChunkedArray
    feedback: pa.Table  # the columns that the rule reads, and others that are needed
    seconds: np.ndarray | None  # int64 (n_rows,), since 1970; None if the log has no times


class Metadata(NamedTuple):
    """A file of users or items."""

    rows: Rows
    id_name: str
    places: pa.Array  # int32 (n_ids,): the first row of each id, null if the file lacks it


def read(data: ReaderParams) -> Tables:
    """Return the tables of the folder. Raises InputError if a file is missing or invalid."""
    rule, names, folder = Rule.parse(data.positive), data.table, Path(data.path)
    if not names.interactions:
        raise InputError("data.table.interactions is '': must be a file below data.path")
    needed = [name for name in (names.user, names.item, names.time) if name]
    rows = read_rows(folder, names.interactions, needed, rule.columns, "data.table.interactions")
    user_id, user_ids, users = _matched(rows, data, "user", names.user_columns)
    own = [names.title, *names.tags, names.embedding, names.published]
    own = [name for name in own if name and not name.endswith(".npz")]
    item_id, item_ids, items = _matched(rows, data, "item", [*names.item_columns, *own])
    of_users = _features(users, names.user_columns, []) if users else {}
    of_items = _features(items, names.item_columns, own) if items else {}
    user_table = pa.table({"user_id": user_ids, **of_users})
    item_table = pa.table({"item_id": item_ids, **of_items})
    log = _log_of(rows, names, rule, (user_id, item_id), (user_table, item_table))
    user, item = rows_of(user_ids, log.user_id, "user"), rows_of(item_ids, log.item_id, "item")
    is_positive, n_unknown = rule.judge(log.feedback, (user_table, user), (item_table, item))
    report_unknown(n_unknown)
    columns = {"user": user, "item": item, "is_positive": is_positive}
    columns["strength"] = is_positive.astype(np.uint8)
    if log.seconds is not None:
        _report_span(rows.where, names.time, log.seconds)
        columns[TIMESTAMP] = log.seconds
    content = {"item_tags": sparse.csr_array((len(item_ids), 1), dtype=np.float32)}
    content["item_embeddings"] = np.full((len(item_ids), 1), np.nan, dtype=np.float32)
    content |= _content(items, item_ids, names) if items else {}
    if names.embedding:
        content["item_embeddings"] = _embeddings(items, item_ids, data)
    return Tables(pa.table(columns), user_table, item_table, **content)


def read_given(
    path: Path, names: TableParams, rule: Rule, metadata: Sequence[pa.Table], more: Sequence[str]
) -> Log:
    """Read the interactions of new users, with or without times.

    names     the columns; if time_unit is None, the size of a number shows its unit
    metadata  users.parquet and items.parquet; the file must have the same types of ids
    more      other columns that are needed
    """
    needed, wanted = (names.user, names.item), [*rule.columns, names.time]
    rows = read_rows(path.parent, path.name, [*needed, *more], wanted, "INTERACTIONS")
    pairs = zip(needed, metadata, strict=True)
    ids = [_ids((rows, name), kind=table[0].type)[0] for name, table in pairs]
    return _log_of(rows, names, rule, ids, metadata, more)


def _log_of(
    rows: Rows,
    names: TableParams,
    rule: Rule,
    ids: Sequence[pa.ChunkedArray],
    metadata: Sequence[pa.Table],
    more: Sequence[str] = (),
) -> Log:
    """Return the interactions in time order. `ids` are the user and the item of each row."""
    there = [name for name in rule.columns if name in rows.names]
    feedback = {name: rows.typed(name) for name in more}
    feedback |= {name: rows.read_as(name, NUMBER, "a number or true/false") for name in there}
    for name, column in feedback.items():
        rows.check_finite(name, column)
    fields = {**dict.fromkeys(rows.names, pa.null()), **{of: feedback[of].type for of in there}}
    numbers = [table.schema for table in metadata]
    rule.check(with_numbers(pa.schema(fields.items()), *numbers), rows.where)
    order, seconds = pa.array(np.arange(rows.table.num_rows)), None
    if names.time and names.time in rows.names:  # pandas calls its index ""
        times = _times(rows, names.time, names.time_unit)
        rows.refuse(names.time, times.is_null(nan_is_null=True), "a time")
        table = pa.table({names.time: times, "": order})
        table = in_time_order(table, rows.where, names.time, UNITS.get(names.time_unit))
        order, seconds = table[""], table[names.time].to_numpy()
    feedback = pa.table({"": order, **{name: of.take(order) for name, of in feedback.items()}})
    return Log(*(of.take(order) for of in ids), feedback, seconds)


def _times(rows: Rows, name: str, unit: str | None) -> pa.ChunkedArray:
    """Return a column of numbers, dates or timestamps. Raises InputError for other values."""
    if unit is None and name == vk_lsvd.TIME:
        wanted = "the number in the name of a week's file"
        weeks = rows.read_as(name, (pa.int64(),), wanted)
        rows.refuse(name, [not pa.types.is_integer(weeks.type)] * len(weeks), wanted)
        return weeks
    hint = f"{unit} since 1970 (data.table.time_unit)" if unit else "seconds since 1970"
    wanted = f"an ISO date or time, or a number of {hint}"
    times = rows.read_as(name, INSTANT, wanted)
    if is_number(times.type):
        seconds = pc.divide(times.cast(pa.float64(), safe=False), UNITS[unit or "ns"])
        is_beyond = pc.greater(pc.abs(seconds), LATEST_S).fill_null(False)
        rows.refuse(name, is_beyond, f"{wanted}, before the year 2100")
    elif not (pa.types.is_timestamp(times.type) or pa.types.is_date(times.type)):
        rows.refuse(name, times.is_valid(), wanted)
    return times


def _report_span(where: Path, name: str, seconds: np.ndarray) -> None:
    first, last = (np.datetime64(int(of), "s") for of in (seconds.min(), seconds.max()))
    doubt = "" if seconds.max() >= EARLIEST_S else "; check data.table.time and .time_unit"
    report(f"{where}: {name} is from {first} to {last} UTC{doubt}")


def _matched(
    log: Rows, data: ReaderParams, of: str, used: Sequence[str]
) -> tuple[pa.ChunkedArray, pa.Array, Metadata | None]:
    """Return the id of each row of the log, the distinct ids of the tables, and the metadata.

    of  "user" or "item"; used  the columns of the metadata that are used
    """
    name, pattern = getattr(data.table, of), getattr(data.table, f"{of}s")
    if not pattern:
        if used:
            raise InputError(f"data.table.{of}s is '': must be the file with {used[0]}")
        (column,) = _ids((log, name))
        return column, distinct(column), None
    needed = [one for one in used if one != data.table.embedding]
    needed = needed or [name] * is_number_of_column(name)
    rows = read_rows(Path(data.path), pattern, needed, None, f"data.table.{of}s")
    id_name = name
    if name not in rows.names or all(map(is_number_of_column, rows.names)):
        id_name = next(one for one in rows.names if one not in INDEX)
    if id_name != name:
        report(f"{rows.where}: reads ids from the first column, {id_name}")
    column, known = _ids((log, name), (rows, id_name))
    ids = distinct(column)
    both = all_ids({f"{log.where}: {name}": column, f"{rows.where}: {id_name}": known})
    n_more = len(both) - len(ids)
    if n_more == pc.count_distinct(known).as_py():
        what = f"has no {of} of the interactions, such as {ids[0]}"
        raise InputError(f"{rows.where}: {id_name} {what}; it must have the same ids")
    if n_more:
        what = "kept, for candidates.new_items" if of == "item" else "left out"
        report(f"{rows.where}: {n_more:,} {of}s without an interaction are {what}")
    ids = both if of == "item" else ids
    return column, ids, Metadata(rows, id_name, places_of(ids, known, rows.where, f"{of}_id"))


def _ids(*pairs: tuple[Rows, str], kind: pa.DataType | None = None) -> list[pa.ChunkedArray]:
    """Return columns of ids without nulls.

    Text becomes integers if all of it can be converted, or if `kind` or a parquet file has
    integers. Prints which id prevents it, if others are integers.
    """
    columns = [rows.table[name] for rows, name in pairs]
    kinds = [rows.table[name].type for rows, name in pairs if not rows.is_text]
    kinds += [] if kind is None else [kind]
    if not kinds:
        is_whole = [pc.match_substring_regex(of, WHOLE).fill_null(True) for of in columns]
        texts = [of.filter(pc.invert(is_in)) for of, is_in in zip(columns, is_whole, strict=True)]
        kinds = [] if any(map(len, texts)) else [pa.int64()]
        for (rows, name), of, text in zip(pairs, columns, texts, strict=True):
            if 0 < len(text) < len(of):
                what = f"{name} is text, because {len(text):,} of {len(of):,} rows have other ids"
                report(f"{rows.where}: {what} than integers, such as {text[0].as_py()!r}")
    if kinds and not any(map(is_string, kinds)):
        integers, wanted = (pa.int64(), pa.uint64()), "an integer, as elsewhere"
        columns = [rows.read_as(name, integers, wanted) for rows, name in pairs]
    for place, (rows, name) in enumerate(pairs):
        column = columns[place]
        rows.refuse(name, column.is_null(nan_is_null=True), "an id")
        if pa.types.is_floating(column.type):  # pandas makes floats of integers with nulls
            rows.refuse(name, pc.not_equal(pc.round(column), column), "an integer or a string")
            columns[place] = column.cast(pa.int64())
        elif not (pa.types.is_integer(column.type) or is_string(column.type)):
            rows.refuse(name, column.is_valid(), f"an integer or a string, not {column.type}")
    return columns


def _features(
    of: Metadata, named: Sequence[str], others: Sequence[str]
) -> dict[str, pa.ChunkedArray | pa.DictionaryArray]:
    """Return the features of each id: the columns `named`, or else columns selected by type.

    others  names and patterns of columns that have another use
    """
    rows, features, left_out = of.rows, {}, []
    taken = {of.id_name, *INDEX, *(name for pattern in others for name in rows.matching(pattern))}
    for name in named or [name for name in rows.names if name not in taken]:
        feature = re.sub(r"\W+", "_", name)  # LightGBM cannot store some other characters
        if feature in {"user_id", "item_id", *features}:
            what = f"two columns would be the feature {feature}"
            raise InputError(f"{rows.where}: {what}; rename {name}")
        column = rows.typed(name)
        kind, is_empty = column.type, column.null_count == len(column)
        is_text = is_string(kind) or pa.types.is_boolean(kind)
        n_levels = pc.count_distinct(column).as_py() if is_text else 0
        if is_number(kind) and not is_empty:
            rows.check_finite(name, column)
            features[feature] = number(column.take(of.places))
        elif is_text and not is_empty and (named or n_levels <= MOST_LEVELS):
            features[feature] = category(column.take(of.places), column)
        else:
            why = "empty" if is_empty else f"{n_levels:,} different texts" if n_levels else kind
            left_out.append(f"{name} ({why})")
    if left_out and named:
        raise InputError(
            f"{rows.where}: {', '.join(left_out)}: must be numbers, text or true/false"
        )
    if left_out:
        report(f"{rows.where}: not used as features: {', '.join(left_out)}")
    return features


def _content(of: Metadata, ids: pa.Array, names: TableParams) -> dict[str, object]:
    """Return the fields of Tables for tags, titles, embeddings made from both, and publication."""
    content, rows = {}, of.rows
    titles = pa.chunked_array([pa.nulls(rows.table.num_rows, pa.string())])
    if names.title:
        titles = rows.table[names.title]
        if not (is_string(titles.type) or is_number(titles.type)):
            rows.refuse(names.title, titles.is_valid(), "a text")
        titles = titles.cast(pa.string())
        content["item_titles"] = pc.coalesce(titles.take(of.places), ids.cast(pa.string()))
    if names.title or names.tags:
        first = np.unique(of.places.drop_null())  # the first row of each item, as in the file
        place = np.searchsorted(first, of.places.fill_null(rows.table.num_rows))  # or the end
        tags = pa.chunked_array([_tags(rows, names.tags)]).take(first)
        content["item_tags"] = movielens.tags_of(tags)[place]
        if not names.embedding:
            titles = pc.replace_substring_regex(titles.take(first), YEAR, "")
            content["item_embeddings"] = movielens.embeddings_of(titles, tags)[place]
    if names.published:
        content["item_published"] = _published(of, names.published, names.time_unit)
    return content


def _tags(rows: Rows, names: Sequence[str]) -> list[str]:
    """Return the tags of each row, separated by blanks; a blank within a tag becomes _."""
    tags = [[] for _ in range(rows.table.num_rows)]
    for name in names:
        column, prefix = rows.typed(name), f"{name}=" if len(names) > 1 else ""
        if pa.types.is_integer(column.type) and {*column.unique().to_pylist()} <= {0, 1, None}:
            column = column.cast(pa.bool_())
        if pa.types.is_boolean(column.type):  # true: the item has the tag of this name
            column, prefix = pc.if_else(column, name, None), ""
        elif is_number(column.type):  # such as the number of an author
            column = category(column, column)
        for row, value in zip(tags, column.to_pylist(), strict=True):
            found = value if isinstance(value, list) else str(value or "").split("|")
            row += [prefix + "_".join(str(tag).split()) for tag in found if tag]
    return [" ".join(row) for row in tags]


def _embeddings(of: Metadata | None, ids: pa.Array, data: ReaderParams) -> np.ndarray:
    """Return embeddings, float32 (n_items, width), from npz, a column of lists or of numbers."""
    name, width = data.table.embedding, data.embedding_width
    if name.endswith(".npz"):
        return vk_lsvd.read_embeddings(Path(data.path) / name, ids, width)
    columns = {name: of.rows.table[name] for name in of.rows.matching(name)}
    for one, column in columns.items():
        if len(columns) > 1:
            columns[one] = of.rows.read_as(one, NUMBER, "a number")
        elif is_string(column.type):  # such as [0.5, 1]
            texts = pc.utf8_trim(pc.replace_substring_regex(column, r"[\[\],;\s]+", " "), " ")
            columns[one] = pc.split_pattern(texts, " ")
    try:
        vectors = vectors_of(pa.table(columns), of.rows.where)
    except pa.ArrowException as error:
        what = f"{', '.join(columns)} must be lists of numbers: {' '.join(str(error).split())}"
        raise InputError(f"{of.rows.where}: {what}") from None
    return embeddings_of(of.places, vectors, width, of.rows.where)


def _published(of: Metadata, name: str, unit: str) -> np.ndarray:
    """Return seconds since 1970, float64 (n_items,), NaN if unknown. Prints how many are."""
    times = _times(of.rows, name, unit)
    is_known = pc.invert(times.is_null(nan_is_null=True)).to_numpy()
    numbers, per_second = times_of(times.filter(is_known), name, UNITS[unit])
    seconds = np.full(len(times) + 1, np.nan)
    seconds[np.flatnonzero(is_known)] = numbers / per_second
    seconds = seconds[of.places.fill_null(len(times))]
    if n_unknown := np.count_nonzero(np.isnan(seconds)):
        report(f"{of.rows.where}: {name} is unknown for {n_unknown:,} of {len(seconds):,} items")
    if n_unknown < len(seconds):
        _report_span(of.rows.where, name, seconds[~np.isnan(seconds)])
    return seconds
