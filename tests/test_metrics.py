"""Every metric against a plain loop, trec_eval and hand arithmetic, and the bootstrap."""

from math import log2

import numpy as np
import pytest

from evaluation import metrics

YES, NO = True, False


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """hits (n_users, k) and n_relevant that has room for them, often more than k."""
    rng = np.random.default_rng(seed)
    hits = rng.random((rng.integers(1, 6), rng.integers(1, 13))) < rng.choice([0.05, 0.3, 0.9])
    missed = rng.integers(0, rng.choice([2, 20]), len(hits))
    return hits, np.maximum(1, hits.sum(axis=1) + missed)


def precision_sum(row: list[bool]) -> float:
    total, found = 0.0, 0
    for rank, is_hit in enumerate(row, start=1):
        if is_hit:
            found += 1
            total += found / rank
    return total


def plain_average_precision(row: list[bool], n_relevant: int) -> float:
    return precision_sum(row) / min(len(row), n_relevant)


def plain_notebook(row: list[bool]) -> float:
    return precision_sum(row) / sum(row) if sum(row) else 0.0


def plain_ndcg(row: list[bool], n_relevant: int) -> float:
    dcg = sum(1 / log2(rank + 1) for rank, is_hit in enumerate(row, start=1) if is_hit)
    ideal = sum(1 / log2(rank + 1) for rank in range(1, min(len(row), n_relevant) + 1))
    return dcg / ideal


@pytest.mark.parametrize("seed", range(200))
def test_metrics_equal_plain_loops(seed: int) -> None:
    hits, n_relevant = random_case(seed)
    users = list(zip(hits.tolist(), n_relevant.tolist(), strict=True))
    expected = {
        "average_precision": [plain_average_precision(*user) for user in users],
        "ndcg": [plain_ndcg(*user) for user in users],
        "recall": [sum(row) / n for row, n in users],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(metrics, name)(hits, n_relevant), values, rtol=1e-12)
    np.testing.assert_allclose(
        metrics.notebook_average_precision(hits), [plain_notebook(row) for row, _ in users], 1e-12
    )
    assert metrics.hit_rate(hits).tolist() == [float(sum(row) > 0) for row, _ in users]


@pytest.mark.parametrize("seed", range(50))
def test_metrics_equal_those_of_trec_eval(seed: int) -> None:
    """It divides AP by all relevant items, so it gives ours where no more than k are relevant; the
    other three are the same everywhere.
    """
    trec = pytest.importorskip("pytrec_eval", reason="has no wheel for this machine")
    hits, n_relevant = random_case(seed)
    k = hits.shape[1]
    relevant, ranked = {}, {}
    for user, (row, n) in enumerate(zip(hits.tolist(), n_relevant.tolist(), strict=True)):
        of_list = {f"item {place}": float(-place) for place in range(k)}
        relevant[str(user)] = {f"item {place}": 1 for place in range(k) if row[place]}
        relevant[str(user)] |= {f"missed {number}": 1 for number in range(n - sum(row))}
        ranked[str(user)] = of_list
    names = {f"map_cut_{k}", f"ndcg_cut_{k}", f"recall_{k}", f"success_{k}"}
    found = trec.RelevanceEvaluator(relevant, names).evaluate(ranked)
    of_all = {name: [found[str(user)][name] for user in range(len(hits))] for name in names}
    is_within = n_relevant <= k
    ap = metrics.average_precision(hits, n_relevant)
    np.testing.assert_allclose(ap[is_within], np.array(of_all[f"map_cut_{k}"])[is_within], 1e-12)
    np.testing.assert_allclose(metrics.ndcg(hits, n_relevant), of_all[f"ndcg_cut_{k}"], 1e-12)
    np.testing.assert_allclose(metrics.recall(hits, n_relevant), of_all[f"recall_{k}"], 1e-12)
    assert metrics.hit_rate(hits).tolist() == of_all[f"success_{k}"]


@pytest.mark.parametrize(
    ("row", "n_relevant", "expected"),
    [
        ([YES, NO, YES], 3, (1 / 1 + 2 / 3) / 3),
        ([YES, NO, YES], 2, (1 / 1 + 2 / 3) / 2),
        ([YES, NO, YES], 10, (1 / 1 + 2 / 3) / 3),  # min(k, R): k
        ([NO, YES, NO], 1, (1 / 2) / 1),
        ([YES, YES, YES], 7, (1 / 1 + 2 / 2 + 3 / 3) / 3),
        ([NO, NO, NO], 4, 0.0),
    ],
)
def test_average_precision_by_hand(row: list[bool], n_relevant: int, expected: float) -> None:
    result = metrics.average_precision(np.array([row]), np.array([n_relevant]))
    assert result == pytest.approx([expected])


@pytest.mark.parametrize(
    ("row", "n_relevant", "expected"),
    [
        ([NO, YES, YES], 2, (1 / log2(3) + 1 / log2(4)) / (1 / log2(2) + 1 / log2(3))),
        ([YES, NO, NO], 5, (1 / log2(2)) / (1 / log2(2) + 1 / log2(3) + 1 / log2(4))),
        ([NO, NO, NO], 5, 0.0),
    ],
)
def test_ndcg_by_hand(row: list[bool], n_relevant: int, expected: float) -> None:
    assert metrics.ndcg(np.array([row]), np.array([n_relevant])) == pytest.approx([expected])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([YES, NO, NO], (1 / 1) / 1),  # whatever was missed
        ([NO, YES, YES], (1 / 2 + 2 / 3) / 2),
        ([NO, NO, NO], 0.0),
    ],
)
def test_notebook_formula_by_hand(row: list[bool], expected: float) -> None:
    assert metrics.notebook_average_precision(np.array([row])) == pytest.approx([expected])


def test_notebook_formula_is_never_below_ap() -> None:
    hits = np.array([[YES, NO, NO]])
    assert metrics.notebook_average_precision(hits).tolist() == [1.0]
    assert metrics.average_precision(hits, np.array([10])).tolist() == [1 / 3]


def test_recall_counts_what_the_list_could_not_hold() -> None:
    assert metrics.recall(np.array([[YES, YES]]), np.array([8])).tolist() == [2 / 8]


def test_oracle_is_ap_with_every_found_item_on_top() -> None:
    k = 3
    for found in range(6):
        for n_relevant in range(max(1, found), 8):
            best = np.array([[rank <= found for rank in range(1, k + 1)]])
            expected = metrics.average_precision(best, np.array([n_relevant]))
            result = metrics.oracle_average_precision(np.array([found]), np.array([n_relevant]), k)
            assert result == pytest.approx(expected)


DIFFERENCE = np.array([0.5, 0.0, 0.0, -0.25, 0.5, 0.1, 0.0, 0.3, -0.1, 0.0, 0.2, -0.05])


USER = np.array([3, 3, 1, 7, 7, 6, 2, 9, 4, 10, 5, 8])  # of each list


def bootstrap(difference: np.ndarray, n_resamples: int, seed: int) -> dict[str, float]:
    """Where every user has one list."""
    return metrics.bootstrap(difference, np.arange(len(difference)), n_resamples, seed)


def plain_bootstrap(
    difference: np.ndarray, user: np.ndarray, n_resamples: int
) -> tuple[float, float, float, float]:
    """Low, high, p-value and standard deviation, by drawing users with all their lists."""
    rng = np.random.default_rng(99)
    lists = [difference[user == one].tolist() for one in np.unique(user)]
    means = []
    for _ in range(n_resamples):
        drawn = [value for at in rng.integers(len(lists), size=len(lists)) for value in lists[at]]
        means.append(sum(drawn) / len(drawn))
    means.sort()
    tail = min(sum(mean <= 0 for mean in means), sum(mean >= 0 for mean in means))
    low, high = means[n_resamples * 25 // 1000], means[n_resamples * 975 // 1000]
    return low, high, 2 * tail / n_resamples, float(np.std(means))


@pytest.mark.parametrize("user", [np.arange(12), USER], ids=["a list each", "several lists"])
def test_bootstrap_agrees_with_a_plain_loop(user: np.ndarray) -> None:
    low, high, p_value, deviation = plain_bootstrap(DIFFERENCE, user, 20_000)
    result = metrics.bootstrap(DIFFERENCE, user, 20_000, seed=1)
    # standard error of a quantile: sqrt(0.025 * 0.975 / 20 000) / density, and the density of the
    # means at their quantiles is 0.058 / 0.065: 0.0012, 0.0017 for two; 0.01 is six times that
    assert result["ci95_low"] == pytest.approx(low, abs=0.01)
    assert result["ci95_high"] == pytest.approx(high, abs=0.01)
    assert result["p_value"] == pytest.approx(p_value, abs=2 * 6 * (0.05 * 0.95 / 20_000) ** 0.5)
    assert result["min_detectable"] == pytest.approx(2.8 * deviation, rel=0.05)


def test_lists_of_one_user_are_drawn_together() -> None:
    """Ten users with three alike lists each are ten observations, not thirty."""
    difference, user = np.repeat([1.0, -1.0], 15), np.repeat(np.arange(10), 3)
    result = metrics.bootstrap(difference, user, 1000, seed=1)
    # 2.5 % of the draws have at most 2 of ten users who gain: (2 - 8) / 10
    assert (result["ci95_low"], result["ci95_high"]) == (-0.6, 0.6)
    alone = metrics.bootstrap(difference, np.arange(30), 1000, seed=1)
    assert alone["min_detectable"] < result["min_detectable"]


@pytest.mark.parametrize(
    "user",
    [np.arange(200), np.arange(200) // np.repeat([2, 1], 100)],
    ids=["a list each", "half of the lists two by two"],
)
def test_both_ways_to_draw_agree(user: np.ndarray) -> None:
    """With few distinct values it is drawn how often each occurs, else who is drawn."""
    few = np.repeat([0.5, 0.0, -0.3], [60, 100, 40])
    many = few + np.linspace(0, 1e-9, len(few))
    one, other = (metrics.bootstrap(values, user, 20_000, seed=1) for values in (few, many))
    assert one != other
    for key, value in one.items():
        assert other[key] == pytest.approx(value, abs=0.003)


def test_bootstrap_is_seeded_and_blind_to_the_order_of_users() -> None:
    first = bootstrap(DIFFERENCE, 1000, seed=1)
    assert bootstrap(DIFFERENCE, 1000, seed=1) == first
    assert bootstrap(DIFFERENCE[::-1], 1000, seed=1) == first
    assert bootstrap(DIFFERENCE, 1000, seed=2) != first


def test_bootstrap_mirrors_the_swapped_models() -> None:
    one, other = (bootstrap(d, 20_000, seed=1) for d in (DIFFERENCE, -DIFFERENCE))
    assert one["ci95_low"] == pytest.approx(-other["ci95_high"], abs=0.01)
    assert one["p_value"] == pytest.approx(other["p_value"], abs=0.02)


def test_bootstrap_in_blocks_covers_every_resample(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 000 000 // 5000 users = 800 resamples at a time, and a last block of 100. No mean is near
    zero, but a place left unfilled would be.
    """
    monkeypatch.setattr(np, "empty", np.zeros)
    result = bootstrap(np.linspace(4, 6, 5000), 1700, seed=3)
    assert result["p_value"] == 2 * (0 + 1) / (1700 + 1)


def test_p_value_of_no_difference_is_one() -> None:
    result = bootstrap(np.zeros(10), 100, seed=0)
    assert result == {"ci95_low": 0.0, "ci95_high": 0.0, "p_value": 1.0, "min_detectable": 0.0}


@pytest.mark.parametrize("sign", [1, -1])
def test_p_value_is_never_zero(sign: int) -> None:
    result = bootstrap(np.full(10, sign * 0.5), 100, seed=0)
    assert result["p_value"] == 2 * (0 + 1) / (100 + 1)
    assert (result["ci95_low"], result["ci95_high"]) == (sign * 0.5, sign * 0.5)


def test_few_users_have_no_interval_however_many_lists() -> None:
    """Of one user every draw is the same: an interval without width, and a p-value near zero."""
    difference = np.full(40, 0.5)
    few = metrics.bootstrap(difference, np.arange(40) % 9, 100, seed=0)
    assert few.keys() == {"ci95_low", "ci95_high", "p_value", "min_detectable"}
    assert np.isnan(list(few.values())).all()
    enough = metrics.bootstrap(difference, np.arange(40) % 10, 100, seed=0)
    assert enough.keys() == few.keys()
    assert np.isfinite(list(enough.values())).all()
