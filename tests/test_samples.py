"""Which users are shown, and which reasons."""

import numpy as np

from findings.samples import N_SAMPLES, Reason, _recommended, sample_rows


def test_the_middle_of_each_part_of_those_that_differ() -> None:
    gain = np.concatenate([np.zeros(50), np.arange(1, 13) - 6.5])  # two of 12 to a part
    rows = sample_rows(gain, 0)
    assert gain[rows].tolist() == [-4.5, -2.5, -0.5, 1.5, 3.5, 5.5]


def test_where_few_differ_all_take_part() -> None:
    gain = np.array([0, 0, 0.1, 0, 0, 0, 0, -0.1])
    rows = sample_rows(gain, 0)
    assert len(set(rows.tolist())) == N_SAMPLES
    assert (np.diff(gain[rows]) >= 0).all()


def test_fewer_lists_than_samples() -> None:
    assert sorted(sample_rows(np.array([0.2, 0.1]), 0).tolist()) == [0, 1]
    assert sample_rows(np.zeros(0), 0).tolist() == []


def test_equal_gains_are_drawn_by_the_seed() -> None:
    gain = np.ones(1000)
    assert sample_rows(gain, 1).tolist() == sample_rows(gain, 1).tolist()
    assert sample_rows(gain, 1).tolist() != sample_rows(gain, 2).tolist()


REASONS = {5: [Reason("a", 0.4), Reason("b", 0.1), Reason("c", 0.0), Reason("d", -0.3)]}


def test_reasons_speak_for_what_came_up_and_against_what_fell() -> None:
    came_up = _recommended(1, 5, {5}, 4, REASONS, "hybrid")
    assert came_up.is_hit
    assert [one.feature for one in came_up.reasons] == ["a", "b"]
    fell = _recommended(1, 5, set(), 4, REASONS, "als")
    assert not fell.is_hit
    assert [one.feature for one in fell.reasons] == ["d"]


def test_no_reasons_for_what_stayed_about_where_it_was() -> None:
    assert _recommended(1, 5, set(), 3, REASONS, "hybrid").reasons == []
    assert _recommended(4, 5, set(), 1, REASONS, "hybrid").reasons == []  # it fell: told by ALS's
    assert _recommended(1, 5, set(), 0, REASONS, "hybrid").reasons != []  # ALS had it not at all
