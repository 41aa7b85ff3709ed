"""Paired differences of two runs, by hand arithmetic; what may not be compared is refused."""

import itertools
from dataclasses import replace

from core.script import InputError

import numpy as np
import pyarrow as pa
import pytest

import compare as script
import search
from experiments import paired
from experiments.console import interval, p_text, signed
from experiments.outcome import Outcome
from experiments.paired import against, compare, holm
from experiments.settings import Draws, Range
from experiments.trials import Trial
from rankers.scoring import ensembles

PARAMS = {"evaluate.k": 10, "evaluate.n_resamples": 400, "seed": 1, "als.factors": 8}


def outcome(name: str, late: list[float], early: list[float]) -> Outcome:
    """Users a, b, … have a list in each of two windows, with two relevant items."""
    folds = {"validation": (5, late), "validation_2": (4, early)}
    rows = [
        {"user_id": chr(97 + at), "n_relevant": 2, "ap": ap, "ndcg": ap / 2, "fold": fold}
        | {"window": window}
        for fold, (window, values) in folds.items()
        for at, ap in enumerate(values)
    ]
    lists = pa.Table.from_pylist(rows)
    return Outcome(name, "", PARAMS, {"stages/als.py": "1"}, "md5", lists, has_seeds=False)


def with_halves(of: Outcome, sd: float) -> Outcome:
    """Two models that move the mean ap of a window by sd, and its mean ndcg by half of that."""
    lists = of.lists
    for metric, own in (("ap", sd), ("ndcg", sd / 2)):
        lists = lists.append_column(f"halves_{metric}", pa.array([[own, -own]] * len(lists)))
    return replace(of, lists=lists, has_seeds=True)


def with_column(lists: pa.Table, name: str, value: object) -> pa.Table:
    at = lists.column_names.index(name)
    return lists.set_column(at, name, pa.repeat(value, len(lists)))


FIRST = outcome("first", [0.0, 0.5, 1.0], [0.2, 0.4])
OTHER = outcome("other", [0.5, 0.5, 0.5], [0.2, 1.0])
LONG_FIRST = outcome("first", [0.0, 0.5, 1.0, 0.2] * 3, [0.2, 0.4])  # enough users for an interval
LONG_OTHER = outcome("other", [0.5, 0.5, 0.5, 0.0] * 3, [0.2, 1.0])


def test_differences() -> None:
    found = compare([FIRST, OTHER], "validation", "hybrid")
    (run,) = found["runs"]
    test = run["differences"]["map@10"]
    assert (found["n_lists"], found["n_users"], found["n_windows"]) == (5, 3, 2)
    assert test["difference"] == pytest.approx((0.5 + 0 - 0.5 + 0 + 0.6) / 5)
    assert (test["wins"], test["ties"], test["losses"]) == (2, 2, 1)
    assert run["map@10"] == pytest.approx((0.5 + 0.5 + 0.5 + 0.2 + 1.0) / 5)
    assert run["differences"]["ndcg@10"]["difference"] == pytest.approx(0.6 / 5 / 2)
    assert [row["window"] for row in run["windows"]] == [4, 5]  # the oldest first
    assert [row["difference"] for row in run["windows"]] == pytest.approx([0.6 / 2, 0])


def test_a_run_against_itself() -> None:
    """Equal lists differ by nothing, whatever the seeds are worth."""
    (run,) = compare([with_halves(LONG_FIRST, 0.1)] * 2, "validation", "hybrid")["runs"]
    assert run["seed_sd"] > 0
    for test in (*run["differences"].values(), run["windows"][1]):
        assert test["difference"] == test["ci95_low"] == test["ci95_high"] == 0
        assert (test["p_value"], test["wins"], test["losses"]) == (1, 0, 0)
    assert run["params"] == {}
    assert run["code"] == []


@pytest.mark.parametrize("own_sd", [0.05, 0.25])
def test_seeds_alone_make_no_difference(own_sd: float) -> None:
    """Systems of eight models, whose seeds move all lists of a window (standard deviation 0.02) and
    each list. About 5 % of the pairs are called different, but more by users alone.
    """
    rng, n_users, n_pairs = np.random.default_rng(0), 100, 150
    window = np.repeat([3, 4], n_users)

    def system() -> Outcome:
        models = 0.02 * rng.normal(size=(8, 2))[:, window - 3]
        ap, *halves = ensembles(models + own_sd * rng.normal(size=models.shape))
        columns = {"ap": ap, "ndcg": ap, "n_relevant": np.ones(len(ap), dtype=int)}
        columns |= {f"halves_{name}": list(np.stack(halves, axis=1)) for name in ("ap", "ndcg")}
        columns |= {"user_id": np.tile(np.arange(n_users), 2), "window": window}
        return replace(FIRST, lists=pa.table(columns), has_seeds=True)

    found = []
    for _ in range(n_pairs):
        pair = system(), system()
        both = pair, [replace(one, has_seeds=False) for one in pair]
        found.append([against(one, [other])[0]["map"]["p_value"] for one, other in both])
    of_seeds, of_users_alone = (np.array(found) < 0.05).mean(axis=0)
    assert 0.02 <= of_seeds <= 0.09 < of_users_alone


def test_seeds_widen_the_intervals_of_hybrids() -> None:
    """Both runs' deviations add up as squares, those of the windows by their shares of the lists.
    Of another model there is none to add, and of a ranker with one model none is known.
    """
    known = [with_halves(one, sd) for one, sd in ((LONG_FIRST, 0.3), (LONG_OTHER, 0.4))]
    of_windows = np.hypot(12, 2) / 14
    assert paired.seed_sd_of(*known, "ap")[0] == pytest.approx(0.5 * of_windows)
    one_model = replace(OTHER, has_seeds=True)
    assert np.isnan(paired.seed_sd_of(known[0], one_model, "ap")).all()
    (wide,) = compare(known, "validation", "hybrid")["runs"]
    (narrow,) = compare([LONG_FIRST, LONG_OTHER], "validation", "hybrid")["runs"]
    for metric, sd in (("map@10", 0.5), ("ndcg@10", 0.25)):
        one, other = (run["differences"][metric]["min_detectable"] / 2.8 for run in (wide, narrow))
        # the share of each of the 14 lists is in the bootstrap
        assert one == pytest.approx(np.hypot(other, sd * np.sqrt(of_windows**2 - 1 / 14)), rel=0.1)
    of_fold = wide["windows"][1]["min_detectable"] / 2.8  # 12 of the 14 lists
    users = narrow["windows"][1]["min_detectable"] / 2.8
    assert of_fold == pytest.approx(np.hypot(users, 0.5 * np.sqrt(1 - 1 / 12)), rel=0.1)


def level(ap: float, other: float | None = None) -> Outcome:
    """All lists have this AP, but the first may have another."""
    rest = [ap] * 11
    return outcome("level", [ap if other is None else other, *rest], rest)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ([level(0.1)] * 11, [level(0.1)] * 9, False),  # too few draws
        ([level(0.1)] * 11, [level(0.1)] * 9 + [level(0.2)], False),
        ([level(0.1)] * 11, [level(0.1)] * 9 + [level(0.1, 0.9)], True),  # one list is noise
        ([level(0.2), *[level(0.1)] * 11], [level(0.1)] * 9 + [level(0.15)], True),
    ],
)
def test_when_a_search_ends(first: list[Outcome], last: list[Outcome], expected: bool) -> None:
    """It ends if the last ten draws are not better than the best before."""
    assert search.is_settled([*first, *last], "map") == expected


def test_draws_go_on_where_they_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Trials that have run are not run again. The best metric is at 32; nothing is noise."""
    ran: dict[str, Outcome] = {}

    def run(trial: Trial) -> Outcome:
        return ran.setdefault(trial.name, level(1 / (1 + abs(trial.setting["a"] - 32))))

    monkeypatch.setattr(search.trials, "als_outcome", lambda trial: ran.get(trial.name))
    monkeypatch.setattr(search.trials, "run_als", run)

    def names(n: int) -> list[str]:
        draws = Draws({"a": Range(1, 99, is_log=False, is_whole=True)}, n, "tpe", seed=1)
        settings = itertools.chain([{"a": 50}], draws)
        wanted = (Trial(of, {}, f"{of['a']}") for of in settings)
        trials, _ = search.try_all(wanted, 1 + n, draws, "als", "map")
        return [trial.name for trial in trials]

    first = names(3)
    assert (len(first), first[0], list(ran)) == (4, "50", first)
    capsys.readouterr()
    assert names(30)[:4] == first
    shown = capsys.readouterr().out
    assert "4 of 31 settings ran before" in shown
    assert "the best of the last 10 is not significantly better" in shown
    assert len(ran) < 31


def test_holm() -> None:
    """The smallest times 3, the next times 2, the largest times 1, in rising order."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([2 * 0.03, 3 * 0.01, 2 * 0.03])
    assert holm([0.6, 0.7]) == [1, 1]
    runs = compare([LONG_FIRST, LONG_OTHER, LONG_FIRST], "validation", "hybrid")["runs"]
    tests = [run["differences"]["map@10"] for run in runs]
    assert [test["p_holm"] for test in tests] == holm([test["p_value"] for test in tests])


def test_what_differs() -> None:
    changed = {"als.factors": 16, "new": 1}
    other = replace(OTHER, params=PARAMS | changed, code={"stages/als.py": "2"})
    (run,) = compare([FIRST, other], "validation", "hybrid")["runs"]
    assert run["params"] == {"als.factors": [8, 16], "new": [None, 1]}
    assert run["code"] == ["stages/als.py"]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (replace(OTHER, params=PARAMS | {"evaluate.k": 5}), "evaluate.k"),
        (replace(OTHER, lists=with_column(OTHER.lists, "window", 5)), "target windows"),
        (replace(OTHER, lists=with_column(OTHER.lists, "n_relevant", 1)), "relevant items"),
        (outcome("other", [1, 1, 1], [1, 1, 1]), "users"),
    ],
)
def test_other_lists_are_refused(other: Outcome, reason: str) -> None:
    with pytest.raises(InputError, match=f"first and other cannot be compared: other {reason}"):
        compare([FIRST, other], "validation", "hybrid")


def test_other_data_come_first() -> None:
    """Before all that differs as a consequence."""
    other = replace(OTHER, data="other", params=PARAMS | {"data.source": "table", "evaluate.k": 5})
    with pytest.raises(InputError, match=r"^the data of first and other differ \(data.source "):
        compare([FIRST, other], "validation", "hybrid")
    with pytest.raises(InputError, match=r"\(other files\).*: git commit -a"):
        compare([FIRST, replace(OTHER, data="2", name="workspace")], "validation", "hybrid")


def test_verdicts() -> None:
    found = compare([FIRST, OTHER], "validation", "hybrid")
    (run,) = found["runs"]
    test = run["differences"]["map@10"]
    assert (interval(test), p_text(test["p_value"])) == ("too few users", "none")
    expected = "other and first: too few users to compare, MAP@10 +0.1200"
    assert script.verdict(found, run) == expected
    own = {"params": PARAMS | {"evaluate.n_resamples": 4000}, "has_seeds": True}
    worst, best = (
        replace(LONG_FIRST, name=name, lists=with_column(LONG_FIRST.lists, "ap", ap), **own)
        for name, ap in (("worst", 0.1), ("best", 0.2))
    )
    found = compare([worst, best], "validation", "hybrid")
    assert script.verdict(found, found["runs"][0]) == (
        "best is better than worst: MAP@10 +0.1000 (+0.1000 to +0.1000), p < 0.001; other seeds "
        "are not covered (ranker.n_seeds)"
    )
    values = (0.00124, -0.00124, 0.0, -0.00001)
    assert [signed(value) for value in values] == ["+0.0012", "-0.0012", "0.0000", "0.0000"]
