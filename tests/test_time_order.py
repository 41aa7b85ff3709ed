"""Times in any unit and any order give the same seconds in the same order."""

from pathlib import Path

from core.script import InputError

import numpy as np
import pyarrow as pa
import pytest

from readers.time_order import in_time_order

TIMES = 956_703_932 + np.array([432_000, 0, 3, 3, 777_600])
IN_ORDER = [1, 2, 3, 0, 4]  # ties in the order of the file
FORMS = {
    "s": pa.array(TIMES),
    "ms": pa.array(TIMES * 10**3),
    "us": pa.array(TIMES * 10**6),
    "ns": pa.array(TIMES * 10**9),
    "floats": pa.array(TIMES.astype(float)),
    "timestamps": pa.array(TIMES * 10**9).cast(pa.timestamp("ns")),
    "timestamps of a zone": pa.array(TIMES).cast(pa.timestamp("s", "Europe/Moscow")),
}


def ordered(times: pa.Array) -> pa.Table:
    table = pa.table({"row": np.arange(len(times)), "timestamp": times})
    return in_time_order(table, Path("log"))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(form: str, capsys: pytest.CaptureFixture) -> None:
    result = ordered(FORMS[form])
    assert result["row"].to_pylist() == IN_ORDER
    assert result["timestamp"].to_pylist() == TIMES[IN_ORDER].tolist()
    assert result.schema.field("timestamp").type == pa.int64()
    out = capsys.readouterr().out
    assert ": log: sorted by timestamp; 4 of 5 rows moved\n" in out
    line = f": log: timestamp appears to be in {form}; converted to seconds\n"
    assert (line in out) == (form in ("ms", "us", "ns"))


def test_rows_in_order_are_left_without_a_word(capsys: pytest.CaptureFixture) -> None:
    assert ordered(pa.array([10**9, 10**9, 10**9 + 7]))["row"].to_pylist() == [0, 1, 2]
    assert capsys.readouterr().out == ""
    assert ordered(pa.array([1.75, 1.25]))["row"].to_pylist() == [1, 0]
    assert ordered(pa.array([-5, 0, 20_010_222]))["row"].to_pylist() == [0, 1, 2]  # YYYYMMDD
    assert ": timestamp is at most 20010222, before 1980 as seconds;" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([1.0, None, float("nan")], "is empty in 2 of 3 rows; fill it"),
        ([1, 10**19 // 2], f"is from 1 to {10**19 // 2}; must be seconds since 1970"),
        ([956_703_932, 956_703_932_000], "is from 956703932 to 956703932000; must be seconds"),
    ],
)
def test_other_times_are_one_line(times: list, expected: str) -> None:
    with pytest.raises(InputError) as error:
        ordered(pa.array(times))
    assert str(error.value).startswith(f"log: timestamp {expected}")
    assert "\n" not in str(error.value)
