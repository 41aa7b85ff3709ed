"""Settings to try: what an argument means, a grid, draws, and names of experiments."""

import math

from core.script import InputError

import pytest

from experiments.settings import Draws, Range, grid, parse

KNOWN = {"als.factors": 32, "als.alpha": 1.0, "candidates.sources": [], "ranker.objective": "b"}


def axis(argument: str) -> list | Range:
    return parse(argument, KNOWN)[1]


def test_values_and_ranges() -> None:
    assert axis("als.alpha=0.5") == [0.5]
    assert axis("ranker.objective=binary,lambdarank") == ["binary", "lambdarank"]
    assert axis("candidates.sources=[als],[als,ease]") == [["als"], ["als", "ease"]]
    assert axis("als.factors=16..128:log") == Range(16, 128, is_log=True, is_whole=True)
    assert axis("als.alpha=1e-2..20") == Range(0.01, 20, is_log=False, is_whole=False)


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("als.factors", "must be KEY=VALUE"),
        ("als.factor=1", r"als.factor is not a parameter; did you mean als.factors\?"),
        ("als.factors=5..2", "LOW must be below HIGH"),
        ("als.alpha=0..2:log", "above 0"),
        ("als.factors=1.5..9", "als.factors is an integer, so both ends must be integers"),
        ("als.factors=1,,2", "must be KEY=VALUE"),
        ("als.factors={a: 1}", "must be KEY=VALUE"),
        ("als.factors=[", "must be KEY=VALUE"),
    ],
)
def test_bad_arguments(argument: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse(argument, KNOWN)


def test_grid() -> None:
    assert grid({"a": [1, 2], "b": [3]}) == [{"a": 1, "b": 3}, {"a": 2, "b": 3}]
    with pytest.raises(InputError, match="a is a range"):
        grid({"a": Range(1, 2, is_log=False, is_whole=True)})


AXES = {
    "a": Range(16, 128, is_log=True, is_whole=True),
    "b": Range(0.1, 10, is_log=True, is_whole=False),
    "c": [[1], [5]],
}


def drawn(n: int, sampler: str, seed: int = 1, axes: dict = AXES) -> list[dict]:
    """Settings whose metric is highest at b = 1 and c = [5]."""
    draws, found = Draws(axes, n, sampler, seed), []
    for setting in draws:
        found.append(setting)
        draws.tell(setting, metric(setting))
    return found


def metric(setting: dict) -> float:
    return (setting["c"] == [5]) - abs(math.log(setting.get("b", 1)))


def test_draws_are_in_range_and_go_on() -> None:
    found = drawn(60, "random")
    for sampler in ("random", "tpe"):
        assert drawn(12, sampler) == drawn(15, sampler)[:12] != drawn(12, sampler, seed=2)
    assert all(isinstance(one["a"], int) and 16 <= one["a"] <= 128 for one in found)
    assert all(0.1 <= one["b"] <= 10 for one in found)
    assert {one["c"][0] for one in found} == {1, 5}
    assert 15 <= sum(one["b"] < 1 for one in found) <= 45  # the middle of the logarithms
    learned = drawn(40, "tpe")[20:]  # from the metrics that it was told
    assert sum(map(metric, learned)) > sum(map(metric, found[:20])) + 10


def test_no_setting_is_drawn_twice() -> None:
    """A setting with a known metric, such as the current one, is not drawn either."""
    axes = {"a": Range(1, 3, is_log=False, is_whole=True), "c": [[1], [5]]}
    for sampler in ("tpe", "random"):
        found = drawn(9, sampler, axes=axes)
        assert len(found) == 6
        assert all(one not in found[:place] for place, one in enumerate(found))
    draws = Draws(axes, 1, "random", seed=1)
    draws.tell(found[0], 0.0)
    assert next(iter(draws)) != found[0]
