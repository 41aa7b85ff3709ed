"""What the report says of lists, slices, users and the ranker, by hand arithmetic."""

import numpy as np
import pandas as pd
import pytest

from reporting.sections import slices_of
from reporting.users import N_SAMPLES, reasons, sample_rows


def test_slices_of_users_and_items() -> None:
    lists = pd.DataFrame(
        {
            "user": [0, 1, 2],
            "n_positives": [0, 5, 5],
            "ap_als": [0.1, 0.2, 0.3],
            "ap_hybrid": [0.1, 0.3, 0.5],
            "popular_als": [np.nan, 0.5, np.nan],
            "popular_hybrid": [np.nan, 0.7, np.nan],
            **dict.fromkeys(("tail_als", "tail_hybrid"), [np.nan] * 3),
        }
    )
    users = pd.DataFrame({"gender": pd.Categorical(["F", "M", "M"]), "same": [1.0, 1.0, 1.0]})
    found = slices_of(lists, users, 200, 0, 1)
    assert {name: (pytest.approx(one.value), one.n) for name, one in found.items()} == {
        ("positives in the history", "cold users"): (0, 1),
        ("positives in the history", "1-9 positives"): ((0.1 + 0.2) / 2, 2),
        ("gender", "F"): (0, 1),
        ("gender", "M"): ((0.1 + 0.2) / 2, 2),
        ("popularity of the item", "most popular tenth"): (0.7 - 0.5, 1),
    }


def test_the_middle_of_each_part_of_the_lists_that_differ_is_shown() -> None:
    gain = np.concatenate([np.zeros(50), np.arange(1, 19) - 9.5])  # three of 18 to a part
    assert gain[sample_rows(gain, 0)].tolist() == [-7.5, -4.5, -1.5, 1.5, 4.5, 7.5]
    few = np.array([0, 0, 0.1, 0, 0, 0, 0, -0.1])  # where few differ, the parts are of all lists
    rows = sample_rows(few, 0)
    assert len(set(rows.tolist())) == N_SAMPLES
    assert (np.diff(few[rows]) >= 0).all()
    assert sample_rows(np.array([0.2, 0.1]), 0).tolist() == [1, 0]
    equal = np.ones(1000)  # in an order by the seed
    assert sample_rows(equal, 1).tolist() == sample_rows(equal, 1).tolist()
    assert sample_rows(equal, 1).tolist() != sample_rows(equal, 2).tolist()


@pytest.mark.parametrize(
    ("sign", "other", "expected"),
    [
        (1, 4, ["a", "b"]),  # the hybrid moved it up three places: what speaks for it
        (-1, 4, ["d"]),  # the hybrid moved it down three places: what speaks against it
        (1, 3, []),  # moved less
        (1, 0, ["a", "b"]),  # ALS did not retrieve it
    ],
)
def test_an_item_that_moved_has_reasons(sign: int, other: int, expected: list[str]) -> None:
    added = pd.Series({"b": 0.1, "a": 0.4, "c": 0.0, "d": -0.3})
    found = reasons(added, own=1, other=other, sign=sign)
    assert found.to_dict() == {name: added[name] for name in expected}
