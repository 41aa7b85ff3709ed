"""Compares outcomes list by list: differences of MAP@k and NDCG@k with their intervals."""

from core.script import InputError

import numpy as np

from evaluation.bootstrap import bootstrap
from experiments.outcome import Outcome
from experiments.revision import WORKSPACE

METRICS = {"map": "ap", "ndcg": "ndcg"}  # mean over lists -> metric of one list
SIGNIFICANT = 0.05


def check_same_lists(first: Outcome, other: Outcome) -> None:
    """Raise InputError if two outcomes have different data, windows or lists."""
    if first.data != other.data:
        keys = changes(first.params, other.params).items()
        said = [f"{key} {old}, {new}" for key, (old, new) in keys if key.startswith("data.")]
        apply = "" if other.name == WORKSPACE else f"dvc exp apply {other.name} && "
        raise InputError(
            f"the data of {first.name} and {other.name} differ ({'; '.join(said) or 'other files'})"
            f", so their metrics cannot be compared; to compare on the data of {other.name}, make "
            f"them the base first: {apply}git commit -a -m 'New data'"
        )
    old, new = first.lists, other.lists
    is_same = {
        "evaluate.k": first.params["evaluate.k"] == other.params["evaluate.k"],
        "target windows (folds)": old["window"].unique() == new["window"].unique(),
        "users with a relevant item": old["user_id"].equals(new["user_id"]),
        "relevant items": old["n_relevant"].equals(new["n_relevant"]),
    }
    for what, holds in is_same.items():
        if not holds:
            raise InputError(f"{first.name} and {other.name} cannot be compared: other {what}")


def difference(
    new: np.ndarray, old: np.ndarray, user: np.ndarray, n_resamples: int, seed: int, seed_sd: float
) -> dict[str, float]:
    """Return the mean of new minus that of old, with an interval that covers users and seeds.

    new, old  float64 (n_lists,), for the same lists; user (n_lists,): the user of each list
    seed_sd   standard deviation of the difference over seeds, see bootstrap()
    Returns difference; ci95_low, ci95_high, p_value and min_detectable as bootstrap() does; wins,
    ties and losses: the number of lists with new above, equal to and below old. Swapping new and
    old only changes the sign, to the last bit.
    """
    delta = new - old
    changed = delta[delta != 0]
    sign = -1.0 if len(changed) and changed[0] < 0 else 1.0  # draws depend on the order of values
    found = bootstrap(sign * delta, user, n_resamples, seed, seed_sd)
    low, high = sorted((sign * found["ci95_low"], sign * found["ci95_high"]))
    return {
        "difference": float(np.mean(new) - np.mean(old)),
        **found,
        "ci95_low": low,
        "ci95_high": high,
        "wins": int((delta > 0).sum()),
        "ties": int((delta == 0).sum()),
        "losses": int((delta < 0).sum()),
    }


def holm(p_values: list[float]) -> list[float]:
    """Return p-values corrected for their number m (Holm 1979).

    The smallest is multiplied by m, the next by m - 1 and so on. Corrected values never decrease
    and are at most 1.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(order) - np.arange(len(order))
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(1, np.maximum.accumulate(np.array(p_values)[order] * factors))
    return corrected.tolist()


def seed_sd_of(
    first: Outcome, other: Outcome, metric: str, rows: np.ndarray | slice = slice(None)
) -> np.ndarray:
    """Return standard deviations over the seeds of both rankers, float64 (2,), NaN if unknown.

    They are roots of seed_variance() of the difference of mean ap or ndcg over these lists.
    """
    both = first.seed_variance(metric, rows) + other.seed_variance(metric, rows)
    return np.sqrt(np.maximum(both, 0))


def against(first: Outcome, others: list[Outcome]) -> list[dict[str, dict[str, float]]]:
    """Return difference() of each other outcome from the first, for `map` and `ndcg`.

    p_holm is corrected for the number of others. Resamples and seed are those of the first.
    """
    draw, found = (first.params["evaluate.n_resamples"], first.params["seed"]), []
    for other in others:
        check_same_lists(first, other)
        tests = {}
        for name, of in METRICS.items():
            pair, (_, sd) = (other.values(of), first.values(of)), seed_sd_of(first, other, of)
            tests[name] = difference(*pair, first.user, *draw, sd)
        found.append(tests)
    for name in METRICS:
        for tests, p in zip(found, holm([one[name]["p_value"] for one in found]), strict=True):
            tests[name]["p_holm"] = p
    return found


def by_window(first: Outcome, other: Outcome) -> list[dict]:
    """Return the difference of MAP@k in each fold, oldest first."""
    of_list, rows = first.values("window"), []
    draw = first.params["evaluate.n_resamples"], first.params["seed"]
    for window in np.unique(of_list):
        at = of_list == window
        old, new = first.values("ap")[at], other.values("ap")[at]
        row = {"fold": first.values("fold")[at][0], "window": int(window), "n_lists": len(old)}
        row |= {"reference": float(old.mean()), "map": float(new.mean())}
        _, sd = seed_sd_of(first, other, "ap", at)
        rows.append(row | difference(new, old, first.user[at], *draw, sd))
    return rows


def changes(old: dict[str, object], new: dict[str, object]) -> dict[str, list[object]]:
    """Return old and new value, None if missing, of each key whose values differ."""
    pairs = {key: [old.get(key), new.get(key)] for key in sorted(old.keys() | new.keys())}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def compare(outcomes: list[Outcome], kind: str, model: str) -> dict:
    """Compare every outcome with the first. Returns everything that compare.py shows."""
    first, *others = outcomes
    k = first.params["evaluate.k"]

    def head(outcome: Outcome) -> dict[str, object]:
        means = {f"{name}@{k}": float(outcome.values(of).mean()) for name, of in METRICS.items()}
        return {"revision": outcome.name, "commit": outcome.commit, **means}

    runs = [
        {
            **head(other),
            "differences": {f"{name}@{k}": test for name, test in tests.items()},
            "seed_sd": float(seed_sd_of(first, other, "ap")[0]),
            "windows": by_window(first, other),
            "params": changes(first.params, other.params),
            "code": list(changes(first.code, other.code)),
        }
        for other, tests in zip(others, against(first, others), strict=True)
    ]
    return {
        "model": model,
        "kind": kind,
        "k": k,
        "n_windows": len(first.lists["window"].unique()),
        "n_lists": len(first.lists),
        "n_users": len(first.lists["user_id"].unique()),
        "reference": head(first),
        "runs": runs,
    }
