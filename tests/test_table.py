"""Any log: what tables of every writer and type become, and a line for every fault."""

import gzip
import re
import shlex
from contextlib import chdir
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from core import tables
from core.script import InputError
from core.tables import Tables

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

import movielens_like
import serve
import test_movielens
from clone import SMALL, TOP
from logs import UP_TO_RECOMMEND, run_mains, write_params
from readers import movielens
from test_params import VALUES

Content = str | bytes | pa.Table  # of a file: text, or what becomes Parquet
DATA = VALUES["data"]
README = (TOP / "data/README.md").read_text(encoding="utf-8")
START = 1_600_000_000
NAMES = {"interactions": "log.csv", "user": "user", "item": "item", "time": "time"}
LOG = {
    "user": [2, 1, 2, 10],
    "item": ["x", "é", "z", "x"],
    "rating": [5.0, 3.0, 4.5, 1.0],
    "time": [START + 2, START, START + 1, START + 2],
}
ORDER = [1, 2, 0, 3]  # of the rows, by time
HEADER = "user,item,rating,time\n"
LINES = [",".join(map(str, row)) + "\n" for row in zip(*LOG.values(), strict=True)]
TEXT = HEADER + "".join(LINES)


def read(
    folder: Path, positive: str = "rating > 3", source: str = "table", **table: object
) -> Tables:
    """The tables of the folder, with these values of data.table."""
    table = {**DATA["table"], **NAMES, **table}
    return test_movielens.read(folder, source, positive, table=table)


def write(folder: Path, files: Content | dict[str, Content]) -> None:
    """Files by name, or one log.csv."""
    for name, content in (files if isinstance(files, dict) else {"log.csv": files}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def log_of(**columns: object) -> pa.Table:
    """The log with these columns in place of its own; None takes one out."""
    return pa.table({name: of for name, of in {**LOG, **columns}.items() if of is not None})


def at(kind: pa.DataType, unit: int = 1) -> pa.Table:
    """The log with times of this type, whose unit is a part of a second."""
    return log_of(time=pa.array([time * unit for time in LOG["time"]]).cast(kind))


def times(*texts: str) -> str:
    """The log with these times, or those of LOG in one format."""
    if "%" in texts[0]:
        texts = [pd.Timestamp(time, unit="s").strftime(texts[0]) for time in LOG["time"]]
    rows = [line.rsplit(",", 1)[0] for line in LINES]
    return HEADER + "".join(f"{row},{text}\n" for row, text in zip(rows, texts, strict=True))


SPARK: dict[str, Content] = {
    "log/_SUCCESS": "x",
    "log/.part-0.csv.crc": "x",
    "log/part-1.csv": "",
    "log/part-3.csv": HEADER,
    "log/part-10.csv": HEADER + "".join(LINES[2:]),
    "log/part-2.csv": HEADER + "".join(LINES[:2]),
}
PLACES = {0: "x/0", 3: "x/3", 1: "%C3%A9/1", 2: "z/2"}  # as DuckDB calls folders
HIVE = {f"log/item={of}.parquet": log_of(item=None).slice(row, 1) for row, of in PLACES.items()}
WIDTHS = {"1.pq": log_of()[:2], "2.pq": log_of(user=pa.array(LOG["user"], "u1"))[2:]}
POLARS = {
    "user": pa.array(["2", "1", "2", "10"], pa.large_string()),
    "item": pa.array(LOG["item"], pa.string_view()),
    "rating": ["5", "3", "4.5", "1"],
}
PANDAS = pa.Table.from_pandas(pd.DataFrame(LOG, index=[7, 5, 3, 1]).convert_dtypes())
NUMBERED = {"user": "c0", "item": "c1", "time": "c3", "positive": "c2 > 3"}
TEXTS = {"leading zeros": "string", "20 digits": "string", "polars": "large_string"}
KINDS = {**TEXTS, "wide": "uint64"}  # else int64
FORMS: dict[str, tuple[Content | dict[str, Content], dict]] = {  # files, and parameters
    "commas": (TEXT, {}),
    "an index": ("".join(f"{i},{line}" for i, line in enumerate([HEADER, *LINES]))[1:], {}),
    "semicolons": ("\ufeff" + TEXT.replace(",", ";").replace("\n", "\r\n"), {}),
    "tabs": (TEXT.replace(",", "\t"), {}),
    "Latin-1": (TEXT.encode("latin-1"), {}),
    "gzip": ({"log.csv.gz": gzip.compress(TEXT.encode())}, {"interactions": "*.gz"}),
    "quotes": ('"a ""b"""," c",' + HEADER + "".join(f'"1,\n2",,{line}' for line in LINES), {}),
    "leading zeros": (TEXT.replace("\n", "\n0", 4), {}),
    "20 digits": (TEXT.replace("\n", "\n" + 19 * "9", 4), {}),
    "no header": ("".join(LINES).replace(",", "\t"), NUMBERED),
    "ISO": (times("%Y-%m-%dT%H:%M:%S"), {}),
    "ISO of a zone": (times("%Y-%m-%d %H:%M:%S+00:00"), {}),
    "BigQuery": (times("%Y-%m-%d %H:%M:%S UTC"), {}),
    "milliseconds": (times(*(f"{time}000" for time in LOG["time"])), {"time_unit": "ms"}),
    "parts of a second": (times(*(f"{time}.5" for time in LOG["time"])), {}),
    "Spark": (SPARK, {"interactions": "log"}),
    "pattern": (SPARK, {"interactions": "l*/part*"}),
    "pandas": (PANDAS, {}),
    "floats": (log_of(user=[2.0, 1.0, 2.0, 10.0]), {}),
    "wide": (log_of(user=pa.array(LOG["user"], "u8")), {}),
    "polars": (log_of(**POLARS), {}),
    "hive": (HIVE, {"interactions": "log"}),
    "two widths": (WIDTHS, {"interactions": "*.pq"}),
    "nanoseconds": (at(pa.timestamp("ns"), 10**9), {}),
    "zone": (at(pa.timestamp("us", "Asia/Tokyo"), 10**6), {}),
    "integers of ns": (at(pa.int64(), 10**9), {"time_unit": "ns"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_log_is_the_same_log(form: str, tmp_path: Path) -> None:
    files, names = FORMS[form]
    write(tmp_path, files)
    found, kind = read(tmp_path, **names), KINDS.get(form, "int64")
    users = [str(user).lstrip("09") for user in found.users["user_id"].to_pylist()]
    items, log = found.items["item_id"].to_pylist(), found.interactions
    rows = zip(log["user"].to_pylist(), log["item"].to_pylist(), strict=True)
    assert [(users[user], items[item]) for user, item in rows] == [
        (str(LOG["user"][row]), LOG["item"][row]) for row in ORDER
    ]
    assert log["timestamp"].to_pylist() == [LOG["time"][row] for row in ORDER]
    assert log["is_positive"].to_pylist() == [LOG["rating"][row] > 3 for row in ORDER]
    assert str(found.users["user_id"].type) == kind
    assert users == sorted(users, key=int if "int" in kind else str.encode)
    assert items == ["x", "z", "é"]
    assert [str(of) for of in log.schema.types] == ["int32", "int32", "bool", "uint8", "int64"]


def test_times_order_rows_before_they_are_rounded(tmp_path: Path) -> None:
    write(tmp_path, log_of(time=[0.75, 0.5, 0.25, 1.0]))
    assert read(tmp_path).interactions["item"].to_pylist() == [1, 2, 0, 0]
    unordered = read(tmp_path, time="").interactions
    assert unordered["item"].to_pylist() == [0, 2, 1, 0]
    assert "timestamp" not in unordered.column_names
    write(tmp_path, FORMS["an index"][0])
    assert read(tmp_path, time="").interactions.equals(unordered)
    assert read(tmp_path, "true").interactions["is_positive"].to_pylist() == [True] * 4


def test_texts_are_integers_only_if_they_are_in_all_files(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write(tmp_path, {"log.csv": TEXT, "users": "user,a\n2,3\nA7,4\n"})
    assert read(tmp_path).users["user_id"].to_pylist() == [1, 2, 10]
    expected = {"user_id": ["1", "10", "2"], "a": [None, None, 3]}
    assert "is text" not in capsys.readouterr().out
    assert read(tmp_path, users="users").users.to_pydict() == expected
    why = "user is text, because 1 of 2 rows have other ids than integers, such as 'A7'"
    assert f"{tmp_path}/users: {why}\n" in capsys.readouterr().out


BAD_TIME = "must be an ISO date or time, or a number of s since 1970 (data.table.time_unit)"
DAYS, LFS = ["2020-01-31"] * 3, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
NOON = "2020-01-31T12:00:00"
LOGS: list[tuple[Content | dict[str, Content], dict, str]] = [  # what is said of log.csv
    ("", {}, ": cannot be read as a CSV file: Empty CSV file"),
    (HEADER, {}, ": no rows"),
    (TEXT, {"user": "User"}, ": no column User; its columns are user, item, rating, time"),
    ("".join(LINES), {**NUMBERED, "time": "c4"}, ": no column c4; its columns are c0, c1, c2, c3"),
    (TEXT.replace("rating", "user"), {}, ": two columns are called 'user'; rename one"),
    (TEXT + "1,x\n", {}, ": cannot be read as a CSV file: CSV parse error: Row #6: Expected 4 "),
    (b"PK\x03\x04\x00", {}, ": is not text; must be Parquet, or text, also as .gz"),
    ("PAR1 and more", {}, ": cannot be read as a parquet file: "),
    (LFS, {}, ": is a Git LFS pointer, not the data: run git lfs pull"),
    (TEXT.replace("1,é", ",é"), {}, ": row 2: user is None; must be an id"),
    (log_of(user=[1.0, 2.5, 3, 4]), {}, ": row 2: user is 2.5; must be an integer or a string"),
    (log_of(user=[True] * 4), {}, ": row 1, and 3 more rows: user is True; must be an integer or"),
    (times("1", "", "2", "3"), {}, ": row 2: time is None; must be a time"),
    (times("1", "2", "soon", "3"), {}, f": row 3: time is 'soon'; {BAD_TIME}"),
    (times(*DAYS, "31/01/2020"), {}, f": row 4: time is '31/01/2020'; {BAD_TIME}"),
    (times(*DAYS, f"{NOON}Z"), {}, f": row 4: time is '{NOON}Z'; {BAD_TIME}"),
    (
        times(*["1600000000000"] * 4),
        {},
        f": row 1, and 3 more rows: time is '1600000000000'; {BAD_TIME}, before the year 2100",
    ),
    (log_of(time=pa.array([0] * 4, pa.time32("s"))), {}, ": row 1, and 3 more rows: time is "),
    (TEXT.replace("4.5", "many"), {}, ": row 3: rating is 'many'; must be a number or true/false"),
    (TEXT.replace("4.5", "-inf"), {}, ": row 3: rating is '-inf'; must be a finite number, or em"),
    (TEXT, {"positive": "stars > 3"}, ": data.positive is 'stars > 3': no column stars; the col"),
    (log_of(rating=[[1]] * 4), {}, ": data.positive is 'rating > 3': rating is list<element: int"),
]
ITEMS = [  # a file of items, what is said of it
    ("item,a\n,3", {}, "row 1: item is None; must be an id"),
    ("item,a\nA,3", {}, "item has no item of the interactions, such as x; it must have the same"),
    ("item,a\nx,3\nz,1e39", {}, "row 2: a is '1e39'; must be a finite number, or empty"),
    ("item,a b,a-b\nx,3,4", {}, "two columns would be the feature a_b"),
    ("item,a\nx,3", {"title": "name"}, "no column name; its columns are item, a"),
    ("item,a\nx,3", {"item_columns": ["a", "b"]}, "no column b; its columns are item, a"),
    (log_of(rating=[[1]] * 4), {"item_columns": ["rating"]}, "rating (list<element: int64>): must"),
    ("item,a\nx,3", {"embedding": "emb_*"}, "no column emb_*; its columns are item, a"),
    ("item,e1,e2\nx,3,4\nz,3,a", {"embedding": "e?"}, "row 2: e2 is 'a'; must be a number"),
    ('item,e\nx,"[1, a]"', {"embedding": "e"}, "e must be lists of numbers: Failed to parse st"),
    ('item,e\nx,"[1,2]"\nz,[3]', {"embedding": "e"}, "e has lists of 2, 1 numbers; must be lists"),
    (log_of(), {"embedding": "rating"}, "rating must be lists of numbers: "),
    (
        log_of(rating=[[1]] * 4),
        {"title": "rating"},
        "row 1, and 3 more rows: rating is [1]; must be a",
    ),
    ("item,at\nx,2020\nz,new", {"published": "at"}, "row 2: at is 'new'; must be an ISO date or"),
]
TWO, FIRST = {"interactions": "*.pq"}, {"1.pq": log_of()}
NULLS = {**FIRST, "2.pq": log_of(item=["x", None, None, "x"])}
OF_USERS = {"log.csv": log_of(), "u": "user,a\n1,3\nA7,4"}
FAULTS = [
    (TEXT, {"interactions": ""}, "data.table.interactions is '': must be a file below data.path"),
    (
        TEXT,
        {"interactions": "l"},
        "{}/l: not found (data.table.interactions); the files there are log.csv",
    ),
    (
        {"b/c.csv": TEXT, "l/a": "", "z.csv": TEXT},  # only the folder itself: it may be large
        {"interactions": "l"},
        "{}/l: not found (data.table.interactions); the files there are b, z.csv",
    ),
    (TEXT, {"title": "title"}, "data.table.items is '': must be the file with title"),
    ({**FIRST, "2.pq": log_of(user=list("abcd"))}, TWO, "{}/*.pq: its 2 files have different "),
    ({**FIRST, "2.pq": log_of(item=None)}, TWO, "{}/2.pq: no column item; its columns are user"),
    (NULLS, TWO, "{}/2.pq: row 2, and 1 more rows: item is None; must be an id"),
    (
        {"log.csv": TEXT, "u.parquet": "user,a"},
        {"users": "u.parquet"},
        "{}/u.parquet: is not a Parquet file, which starts with PAR1",
    ),
    (OF_USERS, {"users": "u"}, "{}/u: row 2: user is 'A7'; must be an integer, as elsewhere"),
    *((content, names, f"{{}}/log.csv{line}") for content, names, line in LOGS),
    *(
        ({"log.csv": TEXT, "i": of}, {**names, "items": "i"}, f"{{}}/i: {line}")
        for of, names, line in ITEMS
    ),
]


@pytest.mark.parametrize(("files", "names", "expected"), FAULTS)
def test_every_fault_is_one_line(
    files: Content | dict[str, Content], names: dict, expected: str, tmp_path: Path
) -> None:
    write(tmp_path, files)
    with pytest.raises(InputError) as error:
        read(tmp_path, **names)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(expected.replace("{}", str(tmp_path)))


# --- users and items

TYPES = {
    "item": ["x", "z", "new", "x"],  # the second row of x is left out
    "int": [3, None, 16_777_217, 4],
    "float": [0.5, 0.25, None, 1],
    "decimal": [Decimal("1.5"), None, Decimal("2.0"), Decimal("3.0")],
    "bool": [True, None, False, True],
    "text": ["b", "a", None, "c"],
    "day": pa.array([1, 2, 3, 4], pa.date32()),
    "list": [[1], [2], [3], [4]],
    "nothing": pa.nulls(4),
    "__index_level_0__": [4, 5, 6, 7],
}


def test_features_by_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("readers.table.MOST_LEVELS", 2)
    users = pd.DataFrame({"id": [1, 2, 3], "a b": [0.1, 2, 3], "name": list("pqr")})
    write(tmp_path, {"log.csv": TEXT, "items": pa.table(TYPES), "users": users.to_csv()})
    rule = "rating >= float * 10 or a_b == 0.1"  # the latter is no float32 number
    found = read(tmp_path, rule, items="items", users="users")
    assert found.interactions["is_positive"].to_pylist() == [True, True, True, False]
    assert found.items.to_pydict() == {
        "item_id": ["new", "x", "z", "é"],
        "int": [16_777_217, 3, None, None],  # which float32 would round
        "float": [None, 0.5, 0.25, None],
        "decimal": [2, 1.5, None, None],
        "bool": ["false", "true", None, None],
    }
    assert found.users.to_pydict() == {"user_id": [1, 2, 10], "a_b": [0.1, 2, None]}
    types = [str(found.items[name].type) for name in ("int", "float", "bool")]
    assert types == ["double", "float", "dictionary<values=string, indices=int32, ordered=0>"]
    out = capsys.readouterr().out
    for line in (
        "users: reads ids from the first column, id",
        "users: 1 users without an interaction are left out",
        "users: no row for 1 of 3 users",
        "users: not used as features: name (3 different texts)",
        "items: 1 items without an interaction are kept, for candidates.new_items",
        "items: no row for 1 of 4 items",
        "items: 1 rows repeat an earlier item; only the first row counts",
        "items: not used as features: text (3 different texts), day (date32[day]),"
        " list (list<element: int64>), nothing (empty)",
    ):
        assert f"{tmp_path}/{line}" in out
    named = read(tmp_path, items="items", item_columns=["text", "int"]).items
    assert named["text"].combine_chunks().dictionary.to_pylist() == ["a", "b", "c"]
    assert named.column_names == ["item_id", "text", "int"]


VECTORS = {"x": [1.0, 2.0], "z": [0.5, -3.0], "new": [0.0, 1.0]}
FLAT = pa.array(sum(VECTORS.values(), []), pa.float32())
FIXED = pa.FixedSizeListArray.from_arrays(FLAT, 2)
TENSORS = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(FLAT.type, [2]), FIXED)
EMBEDDINGS = {  # columns; whether they are written as CSV
    "lists": ({"e_": [*VECTORS.values()]}, False),
    "arrays of polars": ({"e_": FIXED}, False),
    "tensors": ({"e_": TENSORS}, False),
    "columns": ({"e_10": [2.0, -3, 1], "e_9": [1, 0.5, 0]}, False),
    "columns of text": ({"e_10": [2.0, -3, 1], "e_9": [1, 0.5, 0]}, True),
    "JSON": ({"e_": [str(of) for of in VECTORS.values()]}, True),
    "numpy": ({"e_": [str(np.array(of)) for of in VECTORS.values()]}, True),
    "npz": ({}, True),
}


@pytest.mark.parametrize("form", EMBEDDINGS)
def test_embeddings_of_every_form(form: str, tmp_path: Path) -> None:
    columns, is_text = EMBEDDINGS[form]
    table = pa.table({"item": [*VECTORS], **columns})
    items = table.to_pandas().to_csv(index=False) if is_text else table
    write(tmp_path, {"log.csv": TEXT, "items": items})
    np.savez(tmp_path / "e.npz", item_id=[*VECTORS], embedding=[*VECTORS.values()])
    found = read(tmp_path, items="items", embedding="e_*" if columns else "e.npz")
    expected = [[0, 1], [1, 2], [0.5, -3], [np.nan, np.nan]]  # new, x, z, é
    np.testing.assert_array_equal(found.item_embeddings, np.array(expected, "f4"))
    assert found.item_embeddings.dtype == np.float32
    assert found.items.num_columns == 1


TAGS = {  # columns -> the tags of x, z and new
    "lists": ({"tags": [["a b", "c"], [], ["c"]]}, ["a_b c", "", "c"]),
    "bars": ({"tags": ["a b|c", None, "c"]}, ["a_b c", "", "c"]),
    "one": ({"tags": ["a, b", "c", "d e"]}, ["a,_b", "c", "d_e"]),
    "numbers": ({"tags": [7.0, 7.0, None]}, ["7", "7", ""]),
    "flags": ({"p": [True, False, True], "q": [0, 1, 1]}, ["p", "q", "p q"]),
    "two columns": ({"p": ["a", "b", "a"], "q": [5, 5, 5]}, ["p=a q=5", "p=b q=5", "p=a q=5"]),
}


@pytest.mark.parametrize("form", TAGS)
def test_tags_titles_and_embeddings_made_of_them(form: str, tmp_path: Path) -> None:
    columns, expected = TAGS[form]
    items = {"item": ["x", "z", "new"], "title": ["Night (1990)", None, "A Night"], **columns}
    write(tmp_path, {"log.csv": TEXT, "items": pa.table(items)})
    found = read(tmp_path, items="items", title="title", tags=[*columns])
    words = pa.chunked_array([[*expected]])
    titles = pa.chunked_array([["Night", None, "A Night"]])
    order = [2, 0, 1, 3]  # new, x, z, é, which has no row
    assert (found.item_tags != movielens.tags_of(words)[order]).nnz == 0
    made = movielens.embeddings_of(titles, words)[order]
    np.testing.assert_array_equal(found.item_embeddings, made)
    assert found.item_titles.to_pylist() == ["A Night", "Night (1990)", "z", "é"]
    assert found.items.num_columns == 1
    assert found.item_published is None


@pytest.mark.parametrize(
    "given",
    [
        ["2020-09-13 12:26:40.5", None, "1969-12-31"],
        [START + 0.5, np.nan, -86_400],
        pa.array([START * 1000 + 500, None, -86_400_000], pa.timestamp("ms", "UTC")),
    ],
)
def test_times_of_publication(given: list, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    items = pa.table({"item": ["x", "z", "new"], "at": given})
    write(tmp_path, {"log.csv": TEXT, "items": items})
    published = read(tmp_path, items="items", published="at").item_published
    np.testing.assert_array_equal(published, [-86_400, START + 0.5, np.nan, np.nan])
    out = capsys.readouterr().out
    assert "items: at is unknown for 2 of 4 items" in out
    assert "items: at is from 1969-12-31T00:00:00 to 2020-09-13T12:26:40 UTC" in out


def test_raw_files_of_movielens(tmp_path: Path) -> None:
    """The commands of data/README.md read files like those of ml-latest and ml-100k."""
    files: dict[str, Content] = {
        "ratings.csv": "userId,movieId,rating,timestamp\n1,2,4.5,20\n1,1,3,10\n",
        "movies.csv": 'movieId,title,genres\n1,Heat (1995),A|B\n2,"Net, The (1995)",none\n',
        "u.data": "7\t2\t5\t20\n7\t1\t3\t10\n",
        "u.user": "7|24|M|writer|85711\n",
        "u.item": (
            f"1|Heat (1995)|01-Jan-1995||http://a{'|0' * 18}|1\n"
            f"2|Amélie (2001)|01-Jan-2001||http://b|1{'|0' * 17}|1\n"
        ).encode("latin-1"),
    }
    write(tmp_path, files)
    found = []
    for command in re.findall(r"dvc exp run [^`]*?/data/ml-.*?\n(?=dvc|```)", README, re.DOTALL):
        words = [word.split("=", 1) for word in shlex.split(command) if word.startswith("data.")]
        values = {name.split(".")[-1]: YAML(typ="safe").load(value) for name, value in words}
        del values["path"]
        found.append(read(tmp_path, **{**DATA["table"], **values}))
    latest, old = found
    assert latest.item_titles.to_pylist() == ["Heat (1995)", "Net, The (1995)"]
    assert old.item_titles.to_pylist() == ["Heat (1995)", "Amélie (2001)"]
    assert latest.item_tags.toarray().tolist() == [[0.5, 0.5, 0], [0, 0, 1]]
    assert old.item_tags.toarray().tolist() == [[1, 0], [0.5, 0.5]]  # c23, c5
    user = {"user_id": [7], "c1": [24], "c2": ["M"], "c3": ["writer"], "c4": [85711]}
    assert old.users.to_pydict() == user
    for one in found:
        assert one.interactions["timestamp"].to_pylist() == [10, 20]
        assert one.interactions["is_positive"].to_pylist() == [False, True]


# --- MovieLens as tables

EXPORTED = {"interactions": "log.csv", "user": "user_id", "item": "item_id", "time": "timestamp"}
EXPORTED |= {"users": "users.csv", "items": "items.csv", "title": "title", "tags": ["genres"]}


def export(folder: Path) -> None:
    """Write the files of ml-100k in this folder as tables, in their order."""
    log, items, users = (
        movielens_like.read_ratings(folder / f"ml-100k.{of}", str)
        for of in ("inter", "item", "user")
    )
    year = items["release_year"].where(items["release_year"].str.isdigit(), "")
    title = items["movie_title"] + year.map(lambda known: f" ({known})" if known else "")
    items = items.assign(
        title=title, release_year=year, genres=items["class"].str.replace(" ", "|")
    )
    items = items[["item_id", "title", "release_year", "genres"]]
    users = users.drop(columns="zip_code")
    for name, table in (("log", log), ("items", items), ("users", users)):
        table.to_csv(folder / f"{name}.csv", index=False)


def test_movielens_as_tables_is_ingested_to_the_same_bytes(tmp_path: Path) -> None:
    """Apart from the strength, which is 1 for every positive."""
    movielens_like.write(tmp_path, stem="ml-100k")
    export(tmp_path)
    written = []
    for source, names in (("movielens-100k", {}), ("table", EXPORTED)):
        found = read(tmp_path, "rating >= 4", source, **names)
        with chdir(tmp_path):
            tables.write(replace(found, interactions=found.interactions.drop(["strength"])))
        files = (tmp_path / "data/tables").iterdir()
        written.append({path.name: path.read_bytes() for path in files})
    assert len(written[0]) == 6
    assert written[0] == written[1]


def test_serve_reads_a_file_like_the_log(tmp_path: Path) -> None:
    """Users of the history get their lists, by a rule with metadata, with times and without."""
    movielens_like.write(tmp_path / "raw", stem="ml-100k")
    export(tmp_path / "raw")
    names = {f"data.table.{name}": value for name, value in EXPORTED.items()}
    data = {
        "data.source": "table",
        "data.path": "raw",
        "data.positive": "rating * 10 >= 20 + age / 3",
    }
    write_params(tmp_path, {**SMALL, **data, **names, "candidates.sources": ["als", "content"]})
    run_mains(tmp_path, *UP_TO_RECOMMEND)
    log = pd.read_csv(tmp_path / "raw/log.csv").sort_values("timestamp", kind="stable")
    windows = pd.read_csv(tmp_path / "data/split/windows.csv")
    history = log.head(windows["n_interactions"][:-1].sum())
    lists = pd.read_parquet(tmp_path / "data/recommendations/test.parquet")
    for given in (history, history.drop(columns="timestamp")):
        given.to_csv(tmp_path / "given.csv", index=False)
        with chdir(tmp_path):
            serve.main(["given.csv", "out.parquet"])
        found = pd.read_parquet(tmp_path / "out.parquet")
        users = {*found["user_id"]} & {*lists["user_id"]}
        assert len(users) > 100
        found, expected = (of[of["user_id"].isin(users)] for of in (found, lists))
        pd.testing.assert_frame_equal(found.reset_index(drop=True), expected.reset_index(drop=True))
