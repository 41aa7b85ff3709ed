"""Pictures: intervals where they belong."""

import numpy as np
import pandas as pd

from evaluation.bootstrap import Interval
from evaluation.pictures import Row, forest, gain_rows


def test_intervals_are_drawn_where_their_numbers_are() -> None:
    """A row of few users has a mark and no line."""
    few = Row("few", Interval(0.1, np.nan, np.nan, 3))
    axes, words = forest([Row("one", Interval(0.2, 0.1, 0.3, 9), "als"), few], "gain")
    drawn = [line.get_xydata().tolist() for line in axes.lines]
    assert drawn[:2] == [[[0.1, 0], [0.3, 0]], [[0.2, 0]]]
    assert np.isnan(drawn[2]).any()
    assert drawn[3] == [[0.1, 1]]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["one", "+0.200 (+0.100 to +0.300)", "few", "+0.100 (too few users)"]
    assert words == "one: +0.200 (+0.100 to +0.300); few: +0.100 (too few users)"
    assert [line.get_marker() for line in axes.lines[1:4:2]] == ["o", "s"]  # not only a colour


def test_gains_have_all_windows_of_a_kind_and_the_pooled_gain() -> None:
    columns = ["fold", "window", "n_lists", "gain", "gain_low", "gain_high"]
    rows = [["validation", 3, 9, 0.3, 0.2, 0.4], ["test_2", 4, 3, 0.1, 0.0, 0.2]]
    windows = pd.DataFrame([*rows, ["test", 5, 40, 0.1, 0.05, 0.2]], columns=columns)
    pooled = Interval(-0.1, -0.2, -0.05, 43)
    uplift = {"map@10": -0.1, "ci95_low": -0.2, "ci95_high": -0.05}
    assert gain_rows(windows, {"test": {"n_lists": 43, "uplift": uplift}}, 10) == [
        Row("test 2: window 4, 3 lists", Interval(0.1, 0.0, 0.2, 3), "als"),
        Row("test: window 5, 40 lists", Interval(0.1, 0.05, 0.2, 40), "als"),
        Row("test, all: 43 lists", pooled, "hybrid"),
    ]
