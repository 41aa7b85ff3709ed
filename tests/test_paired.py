"""Paired differences of two runs, by hand arithmetic; what may not be compared is refused."""

from dataclasses import replace

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pytest

import compare as script
from experiments import paired, sheets
from experiments.outcome import FoldLists, Outcome, stale
from experiments.paired import compare, difference, holm
from experiments.sheets import Sheet

USERS = pa.chunked_array([list("abcdefghijkl")])
PARAMS = {"evaluate.k": 10, "evaluate.n_resamples": 400, "seed": 1, "als.factors": 8}


def lists(ap: list[float], window: int = 5, n_relevant: int = 2) -> FoldLists:
    counts = np.full(len(ap), n_relevant, dtype=np.int32)
    return FoldLists(window, USERS.slice(0, len(ap)), counts, np.array(ap), np.array(ap) / 2)


def outcome(name: str, late: list[float], early: list[float]) -> Outcome:
    folds = {"validation": lists(late, 5), "validation_2": lists(early, 4)}
    return Outcome(name, "", PARAMS, {"stages/als.py": "1"}, "md5", folds, True, 0.01)


FIRST = outcome("first", [0.0, 0.5, 1.0], [0.2, 0.4])
OTHER = outcome("other", [0.5, 0.5, 0.5], [0.2, 1.0])
LONG_FIRST = outcome("first", [0.0, 0.5, 1.0, 0.2] * 3, [0.2, 0.4])  # enough users for an interval
LONG_OTHER = outcome("other", [0.5, 0.5, 0.5, 0.0] * 3, [0.2, 1.0])


def test_differences() -> None:
    (run,) = compare([FIRST, OTHER], "validation", "hybrid")["runs"]
    test = run["differences"]["map@10"]
    assert test["difference"] == pytest.approx((0.5 + 0 - 0.5 + 0 + 0.6) / 5)
    assert (test["wins"], test["ties"], test["losses"]) == (2, 2, 1)
    assert run["map@10"] == pytest.approx((0.5 + 0.5 + 0.5 + 0.2 + 1.0) / 5)
    assert run["differences"]["ndcg@10"]["difference"] == pytest.approx(0.6 / 5 / 2)
    assert [row["window"] for row in run["windows"]] == [4, 5]  # the oldest first
    assert [row["difference"] for row in run["windows"]] == pytest.approx([0.6 / 2, 0])


def test_users_are_the_same_in_all_folds() -> None:
    found = compare([FIRST, OTHER], "validation", "hybrid")
    assert FIRST.user.tolist() == [0, 1, 2, 0, 1]
    assert (found["n_lists"], found["n_users"], found["n_windows"]) == (5, 3, 2)


def test_swapped_runs_give_mirrored_figures() -> None:
    rng = np.random.default_rng(0)
    new, old = rng.random(200), rng.random(200)
    user = rng.integers(0, 90, 200)
    one, other = difference(new, old, user, 500, 1), difference(old, new, user, 500, 1)
    assert one["difference"] == -other["difference"]
    assert (one["ci95_low"], one["ci95_high"]) == (-other["ci95_high"], -other["ci95_low"])
    assert (one["wins"], one["ties"], one["losses"]) == (other["losses"], 0, other["wins"])
    for key in ("p_value", "min_detectable"):
        assert one[key] == other[key]


def test_a_run_against_itself() -> None:
    (run,) = compare([LONG_FIRST, LONG_FIRST], "validation", "hybrid")["runs"]
    for test in run["differences"].values():
        assert test["difference"] == test["ci95_low"] == test["ci95_high"] == 0
        assert (test["p_value"], test["wins"], test["losses"]) == (1, 0, 0)
    assert run["seeds"]["is_exceeded"] is False
    assert run["params"] == {}
    assert run["code"] == []


def test_holm() -> None:
    """The smallest times 3, the next times 2, the largest times 1, in rising order."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([2 * 0.03, 3 * 0.01, 2 * 0.03])
    assert holm([0.6, 0.7]) == [1, 1]


def test_holm_from_three_runs_on() -> None:
    runs = compare([FIRST, OTHER], "validation", "hybrid")["runs"]
    assert "p_holm" not in runs[0]["differences"]["map@10"]
    runs = compare([LONG_FIRST, LONG_OTHER, LONG_FIRST], "validation", "hybrid")["runs"]
    p = [run["differences"]["map@10"]["p_value"] for run in runs]
    assert [run["differences"]["map@10"]["p_holm"] for run in runs] == holm(p)


def test_seeds() -> None:
    """Both runs' deviations add up as squares; twice that is what a difference has to exceed."""
    other = replace(OTHER, seed_sd=0.03)
    assert paired.seeds_of(FIRST, other, 0.05)["sd"] == pytest.approx((0.01**2 + 0.03**2) ** 0.5)
    assert [paired.seeds_of(FIRST, other, gain)["is_exceeded"] for gain in (-0.07, 0.06)] == [
        True,
        False,
    ]
    assert paired.seeds_of(FIRST, replace(OTHER, seed_sd=None), 1.0)["is_exceeded"] is None


def test_what_differs() -> None:
    other = replace(
        OTHER, params=PARAMS | {"als.factors": 16, "new": 1}, code={"stages/als.py": "2"}
    )
    (run,) = compare([FIRST, other], "validation", "hybrid")["runs"]
    assert run["params"] == {"als.factors": [8, 16], "new": [None, 1]}
    assert run["code"] == ["stages/als.py"]
    (run,) = compare([FIRST, replace(other, is_whole=False)], "validation", "hybrid")["runs"]
    assert run["params"] == {"als.factors": [8, 16]}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (replace(OTHER, params=PARAMS | {"evaluate.k": 5}), "evaluate.k is 10 and 5"),
        (replace(OTHER, data="other"), "interactions differ"),
        (
            replace(OTHER, folds={"validation": lists([1, 1, 1], 5)}),
            r"windows are \[5, 4\] and \[5\]",
        ),
        (
            replace(OTHER, folds=OTHER.folds | {"validation_2": lists([1, 1], 4, n_relevant=1)}),
            "lists of fold validation_2",
        ),
        (
            replace(OTHER, folds=OTHER.folds | {"validation_2": lists([1, 1, 1], 4)}),
            "lists of fold validation_2",
        ),
    ],
)
def test_other_lists_are_refused(other: Outcome, reason: str) -> None:
    with pytest.raises(InputError, match=f"first and other cannot be compared: .*{reason}"):
        compare([FIRST, other], "validation", "hybrid")


def test_few_users_are_told_in_words() -> None:
    found = compare([FIRST, OTHER], "validation", "hybrid")
    (run,) = found["runs"]
    test = run["differences"]["map@10"]
    assert np.isnan([test[key] for key in ("ci95_low", "ci95_high", "p_value")]).all()
    assert (sheets.interval(test), sheets.p_text(test["p_value"])) == ("too few users", "none")
    assert script.verdict(found, run) == (
        "other cannot be told from first by so few users: MAP@10 +0.1200"
    )


def test_stale_parameters() -> None:
    ran = {"als": {"factors": 8, "alpha": 1.0}, "data.path": "here"}
    now = {"als": {"factors": 8, "alpha": 1}, "data": {"path": "here", "source": "any"}}
    assert stale(ran, now) == []
    now["als"] |= {"factors": 16, "new": True}
    assert stale(ran, now) == ["als.factors is 16, not 8", "als.new is True, not None"]


def test_signs() -> None:
    values = (0.00124, -0.00124, 0.0, -0.00001)
    assert [sheets.signed(value) for value in values] == ["+0.0012", "-0.0012", "0.0000", "0.0000"]


SHEET = Sheet("Title", ["name", "value"], [["a|b", "1"], ["c", "22"]])


def test_plain_text() -> None:
    assert sheets.plain(SHEET).splitlines() == [
        "Title",
        "name  value",
        "a|b       1",
        "c        22",
    ]


def test_markdown() -> None:
    assert sheets.markdown(SHEET).splitlines() == [
        "**Title**",
        "",
        "| name | value |",
        "| --- | ---: |",
        "| a\\|b | 1 |",
        "| c | 22 |",
    ]
