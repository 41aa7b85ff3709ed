"""Every metric against a plain loop, trec_eval and hand arithmetic."""

from math import log2

from core import metrics

import numpy as np
import pandas as pd
import pytest


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


def dcg(row: list[bool]) -> float:
    return sum(1 / log2(rank + 1) for rank, is_hit in enumerate(row, start=1) if is_hit)


@pytest.mark.parametrize("seed", range(200))
def test_metrics_equal_plain_loops(seed: int) -> None:
    hits, n_relevant = random_case(seed)
    users = list(zip(hits.tolist(), n_relevant.tolist(), strict=True))
    expected = {
        "average_precision": [precision_sum(row) / min(len(row), n) for row, n in users],
        "ndcg": [dcg(row) / dcg([True] * min(len(row), n)) for row, n in users],
        "recall": [sum(row) / n for row, n in users],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(metrics, name)(hits, n_relevant), values, rtol=1e-12)
    notebook = [precision_sum(row) / max(1, sum(row)) for row, _ in users]
    np.testing.assert_allclose(metrics.notebook_average_precision(hits), notebook, rtol=1e-12)
    assert metrics.hit_rate(hits).tolist() == [float(sum(row) > 0) for row, _ in users]


@pytest.mark.parametrize("seed", range(50))
def test_metrics_equal_those_of_trec_eval(seed: int) -> None:
    """trec_eval divides AP by all relevant items, so AP is equal if at most k are relevant. The
    other three metrics are always equal.
    """
    trec = pytest.importorskip("pytrec_eval", reason="has no wheel for this machine")
    hits, n_relevant = random_case(seed)
    k = hits.shape[1]
    relevant, ranked = {}, {}
    for user, (row, n) in enumerate(zip(hits.tolist(), n_relevant.tolist(), strict=True)):
        found = [f"item {place}" for place in range(k) if row[place]]
        missed = [f"missed {number}" for number in range(n - sum(row))]
        relevant[str(user)] = dict.fromkeys([*found, *missed], 1)
        ranked[str(user)] = {f"item {place}": float(-place) for place in range(k)}
    names = {f"map_cut_{k}", f"ndcg_cut_{k}", f"recall_{k}", f"success_{k}"}
    found = trec.RelevanceEvaluator(relevant, names).evaluate(ranked)
    found = pd.DataFrame([found[str(user)] for user in range(len(hits))])
    ours = {
        f"map_cut_{k}": metrics.average_precision(hits, n_relevant),
        f"ndcg_cut_{k}": metrics.ndcg(hits, n_relevant),
        f"recall_{k}": metrics.recall(hits, n_relevant),
        f"success_{k}": metrics.hit_rate(hits),
    }
    found.loc[n_relevant > k, f"map_cut_{k}"] = ours[f"map_cut_{k}"][n_relevant > k]
    np.testing.assert_allclose(pd.DataFrame(ours), found[list(ours)], 1e-12)


def test_oracle_is_ap_with_every_found_item_on_top() -> None:
    k = 3
    for found in range(6):
        for n_relevant in range(max(1, found), 8):
            best = np.array([[rank <= found for rank in range(1, k + 1)]])
            expected = metrics.average_precision(best, np.array([n_relevant]))
            result = metrics.oracle_average_precision(np.array([found]), np.array([n_relevant]), k)
            assert result == pytest.approx(expected)
