"""Figures as JSON: NaN in Python is null in the file, and back."""

import json
import math

import pytest

from evaluation.figures import from_json, to_json


def test_what_is_not_known_is_null_and_back() -> None:
    text = to_json({"a": [1.5, math.nan], "b": {"c": math.nan, "d": "NaN"}, "e": 3})
    assert json.loads(text) == {"a": [1.5, None], "b": {"c": None, "d": "NaN"}, "e": 3}
    tree = from_json(text)
    assert (tree["a"][0], tree["b"]["d"], tree["e"]) == (1.5, "NaN", 3)
    assert math.isnan(tree["a"][1])
    assert math.isnan(tree["b"]["c"])


def test_an_infinite_figure_is_a_bug() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"a": math.inf})
