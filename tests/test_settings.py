"""Settings to try: what an argument means, a grid, draws, and names of experiments."""

import math

from core.script import InputError

import pytest

import search
from experiments.settings import Range, draws, grid, parse

KNOWN = {
    "als.factors": 32,
    "als.alpha": 1.0,
    "candidates.sources": ["als"],
    "ranker.objective": "b",
}


def axis(argument: str) -> list | Range:
    return parse(argument, KNOWN)[1]


def test_values() -> None:
    assert axis("als.factors=16,32") == [16, 32]
    assert axis("als.alpha=0.5") == [0.5]
    assert axis("ranker.objective=binary,lambdarank") == ["binary", "lambdarank"]
    assert axis("candidates.sources=[als],[als,ease]") == [["als"], ["als", "ease"]]


def test_ranges() -> None:
    assert axis("als.factors=16..128:log") == Range(16, 128, is_log=True, is_whole=True)
    assert axis("als.alpha=0.5..20") == Range(0.5, 20, is_log=False, is_whole=False)
    assert axis("als.alpha=1e-2..1.5:log") == Range(0.01, 1.5, is_log=True, is_whole=False)


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("als.factors", "must be KEY=VALUE"),
        ("als.factors=", "must be KEY=VALUE"),
        ("als.factor=1", r"als.factor is not a parameter; did you mean als.factors\?"),
        ("als.factors=5..2", "a range must rise"),
        ("als.alpha=0..2:log", "begin above 0"),
        ("als.factors=1,,2", "must be KEY=VALUE"),
        ("als.factors={a: 1}", "must be KEY=VALUE"),
    ],
)
def test_bad_arguments(argument: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse(argument, KNOWN)


def test_grid() -> None:
    assert grid({"a": [1, 2], "b": [3, 4]}) == [
        {"a": 1, "b": 3},
        {"a": 1, "b": 4},
        {"a": 2, "b": 3},
        {"a": 2, "b": 4},
    ]
    with pytest.raises(InputError, match="a is a range"):
        grid({"a": Range(1, 2, is_log=False, is_whole=True)})


def test_draws_are_in_range_and_go_on() -> None:
    axes = {
        "a": Range(16, 128, is_log=True, is_whole=True),
        "b": Range(0.1, 10, is_log=True, is_whole=False),
        "c": [1, 5],
    }
    found = draws(axes, 200, seed=1)
    assert found[:50] == draws(axes, 50, seed=1) != draws(axes, 50, seed=2)
    assert all(isinstance(one["a"], int) and 16 <= one["a"] <= 128 for one in found)
    assert all(0.1 <= one["b"] <= 10 for one in found)
    assert {one["c"] for one in found} == {1, 5}
    # half of the draws below the middle of the logarithms, within four standard deviations
    below = sum(one["b"] < 1 for one in found)
    assert abs(below - 100) < 4 * math.sqrt(200) / 2


def test_the_present_setting_comes_first() -> None:
    tried = search.settings_of(["als.alpha=0.5,1.0,2.0"], None, KNOWN)
    assert [setting["als.alpha"] for setting in tried] == [1.0, 0.5, 2.0]
