"""Compares outcomes list by list: differences of MAP@k and NDCG@k, with their intervals."""

from harness.script import InputError

import numpy as np

from evaluation.metrics import bootstrap
from experiments.outcome import FoldLists, Outcome

METRICS = {"map": "ap", "ndcg": "ndcg"}  # its mean -> the metric of one list


def check_same_lists(first: Outcome, other: Outcome) -> None:
    """InputError where two outcomes are of other data, windows or lists."""

    def refuse(reason: str) -> None:
        raise InputError(f"{first.name} and {other.name} cannot be compared: {reason}")

    k = [one.params["evaluate.k"] for one in (first, other)]
    if k[0] != k[1]:
        refuse(f"evaluate.k is {k[0]} and {k[1]}")
    windows = [[fold.window for fold in one.folds.values()] for one in (first, other)]
    if windows[0] != windows[1]:
        refuse(f"their target windows are {windows[0]} and {windows[1]} (folds in params.yaml)")
    if first.data != other.data:
        refuse("their interactions differ (data and split in params.yaml, or the files)")
    for name in first.folds:
        if not same_lists(first.folds[name], other.folds[name]):
            refuse(f"the lists of fold {name} differ in their users or relevant items")


def same_lists(first: FoldLists, other: FoldLists) -> bool:
    """Whether they are of the same users, with as many relevant items each."""
    return first.user_id.equals(other.user_id) and np.array_equal(
        first.n_relevant, other.n_relevant
    )


def difference(
    new: np.ndarray, old: np.ndarray, user: np.ndarray, n_resamples: int, seed: int
) -> dict[str, float]:
    """The mean of new minus that of old, with what the bootstrap over users says of it; the same
    with the other sign, to the last bit, where new and old are swapped.

    new, old  float64 (n_lists,), of the same lists; user int (n_lists,): whose list it is
    Returns difference, ci95_low, ci95_high, p_value, min_detectable: see metrics.bootstrap; wins,
    ties, losses: lists in which new is above, equal to and below old.
    """
    delta = new - old
    changed = delta[delta != 0]
    sign = -1.0 if len(changed) and changed[0] < 0 else 1.0  # the draws depend on the values' order
    found = bootstrap(sign * delta, user, n_resamples, seed)
    low, high = sorted((sign * found["ci95_low"], sign * found["ci95_high"]))
    return {
        "difference": float(new.mean() - old.mean()),
        **found,
        "ci95_low": low,
        "ci95_high": high,
        "wins": int((delta > 0).sum()),
        "ties": int((delta == 0).sum()),
        "losses": int((delta < 0).sum()),
    }


def holm(p_values: list[float]) -> list[float]:
    """The p-values of a family of tests, corrected: the smallest times their number, the next times
    one less, and so on, none below the one before it, none above 1 (Holm 1979).
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(order) - np.arange(len(order))
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(1, np.maximum.accumulate(np.array(p_values)[order] * factors))
    return corrected.tolist()


def seeds_of(first: Outcome, other: Outcome, gain: float) -> dict[str, float | bool | None]:
    """Whether a difference of MAP@k is more than other seeds of the ranker would make of nothing:
    more than twice the standard deviation that both runs' seeds give it. None where one is unknown.
    """
    if first.seed_sd is None or other.seed_sd is None:
        return {"sd": None, "is_exceeded": None}
    sd = float(np.hypot(first.seed_sd, other.seed_sd))
    return {"sd": sd, "is_exceeded": abs(gain) > 2 * sd}


def changes(
    old: dict[str, object], new: dict[str, object], is_whole: bool
) -> dict[str, list[object]]:
    """Key -> the old and the new value, None for none, of keys whose values differ; where one of
    the two ran only in part, of keys that both have.
    """
    keys = old.keys() | new.keys() if is_whole else old.keys() & new.keys()
    return {
        key: [old.get(key), new.get(key)] for key in sorted(keys) if old.get(key) != new.get(key)
    }


def means(outcome: Outcome) -> dict[str, float]:
    """map@k and ndcg@k."""
    k = outcome.params["evaluate.k"]
    return {f"{name}@{k}": float(outcome.pooled(one).mean()) for name, one in METRICS.items()}


def by_window(first: Outcome, other: Outcome, n_resamples: int, seed: int) -> list[dict]:
    """The difference of MAP@k in each fold, the oldest first."""
    rows = []
    for name in reversed(first.folds):
        old, new = first.folds[name], other.folds[name]
        users = np.arange(len(old.ap))  # within a fold everybody has one list
        rows.append(
            {
                "fold": name,
                "window": old.window,
                "n_lists": len(old.ap),
                "reference": float(old.ap.mean()),
                "map": float(new.ap.mean()),
                **difference(new.ap, old.ap, users, n_resamples, seed),
            }
        )
    return rows


def compared(first: Outcome, other: Outcome, n_resamples: int, seed: int) -> dict:
    """All that is said of one outcome against the first."""
    k = first.params["evaluate.k"]
    found = {
        f"{name}@{k}": difference(
            other.pooled(one), first.pooled(one), first.user, n_resamples, seed
        )
        for name, one in METRICS.items()
    }
    is_whole = first.is_whole and other.is_whole
    return {
        "revision": other.name,
        "commit": other.commit,
        **means(other),
        "differences": found,
        "seeds": seeds_of(first, other, found[f"map@{k}"]["difference"]),
        "windows": by_window(first, other, n_resamples, seed),
        "params": changes(first.params, other.params, is_whole),
        "code": list(changes(first.code, other.code, is_whole)),
    }


def compare(outcomes: list[Outcome], kind: str, model: str) -> dict:
    """Every outcome against the first, with p-values corrected by Holm where there are several;
    resamples and seed are those of the first.
    """
    first, *others = outcomes
    for other in others:
        check_same_lists(first, other)
    n_resamples, seed = first.params["evaluate.n_resamples"], first.params["seed"]
    rows = [compared(first, other, n_resamples, seed) for other in others]
    for metric in means(first) if len(rows) > 1 else ():
        tests = [row["differences"][metric] for row in rows]
        for test, p in zip(tests, holm([test["p_value"] for test in tests]), strict=True):
            test["p_holm"] = p
    return {
        "model": model,
        "kind": kind,
        "k": first.params["evaluate.k"],
        "n_windows": len(first.folds),
        "n_lists": len(first.user),
        "n_users": len(np.unique(first.user)),
        "reference": {"revision": first.name, "commit": first.commit, **means(first)},
        "runs": rows,
    }
