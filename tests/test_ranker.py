"""Training rows, the data set LightGBM gets, and models that are the same at any number of
threads.
"""

from pathlib import Path

from core.examples import Examples
from core.params import SharedParams

import lightgbm as lgb
import numpy as np
import pytest

import ranker
from rankers import trained as models
from rankers.trained import load, predict, save
from rankers.training import RankerParams, dataset, sample_negatives, train

SETTINGS = {
    "objective": "lambdarank",
    "label": "positive",
    "n_estimators": 6,
    "learning_rate": 0.1,
    "num_leaves": 4,
    "min_data_in_leaf": 2,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.5,
    "lambda_l2": 1.0,
    "max_bin": 15,
    "truncation_level": 5,
    "negatives": 0,
    "list_weight": 0.5,
    "n_seeds": 1,
    "train_folds": 2,
}
FOLDS = ["test", "validation", "label_1"]
SHARED = SharedParams(seed=0, threads=1, folds=FOLDS)


def params_of(**changed: object) -> RankerParams:
    return RankerParams(**{**SETTINGS, **changed})


def examples_of(lists: list[list[int]], first_user: int = 0, seed: int = 0) -> Examples:
    """A list of labels for each user; four features, the last a category."""
    user = np.repeat(np.arange(len(lists)), [len(labels) for labels in lists]) + first_user
    label = np.array([value for labels in lists for value in labels], dtype=np.uint8)
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(label), 4)).astype(np.float32)
    values[:, 0] += label
    values[:, 3] = rng.integers(0, 3, len(label))
    n_relevant = np.array([sum(value > 0 for value in labels) for labels in lists], dtype=np.int32)
    return Examples(
        user.astype(np.int32),
        np.arange(len(label), dtype=np.int32),
        label,
        n_relevant[user - first_user] + 1,
        values,
        ["a", "b", "c", "d"],
        ["d"],
    )


LISTS = [[0, 0, 1, 0, 0, 2], [1, 0], [0, 0, 0, 1], [0, 1, 1]]


def kept_of(lists: list[list[int]], n_negatives: int, seed: int) -> list[np.ndarray]:
    """Whether each row of each list is kept."""
    group = np.array([len(labels) for labels in lists])
    rng = np.random.default_rng(seed)
    kept = sample_negatives(np.concatenate(lists), group, n_negatives, rng)
    return np.split(kept, np.cumsum(group)[:-1])


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_all_positives_and_n_negatives_of_each_list(most: int) -> None:
    kept = kept_of(LISTS, most, seed=3)
    for labels, of_list in zip(LISTS, kept, strict=True):
        assert all(is_kept for value, is_kept in zip(labels, of_list, strict=True) if value)
        assert len(of_list[of_list]) - sum(map(bool, labels)) == min(most, labels.count(0))


def test_the_draw_of_negatives() -> None:
    """The sample follows the seed, and every candidate has the same probability. 0 keeps all."""
    first, again, other = (kept_of([[0] * 50 + [1]], 5, seed)[0].tolist() for seed in (1, 1, 2))
    assert first == again != other
    times = sum(kept_of([[0, 1, 0, 0], [0, 0]], 1, seed)[0].astype(int) for seed in range(3000))
    assert times[1] == 3000
    np.testing.assert_allclose(times[[0, 2, 3]], 1000, atol=5 * (3000 * 1 / 3 * 2 / 3) ** 0.5)
    assert all(np.concatenate(kept_of(LISTS, 0, seed=3)))


def test_dataset_has_the_lists_of_every_fold() -> None:
    folds = [examples_of(LISTS), examples_of([[1, 0, 0], [0, 1]], first_user=3)]
    data = dataset(folds, params_of(), SHARED).construct()
    assert data.get_group().tolist() == [6, 2, 4, 3, 3, 2]  # user 3 ends the first, begins the next
    label = np.concatenate([fold.label for fold in folds])
    assert data.get_label().tolist() == (label > 0).tolist()
    assert data.get_feature_name() == ["a", "b", "c", "d"]
    graded = dataset(folds, params_of(label="graded", objective="lambdarank"), SHARED).construct()
    assert graded.get_label().tolist() == label.tolist()


def fold_of(seed: int, n_lists: int = 30) -> Examples:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 12, n_lists)
    return examples_of([rng.permutation([1, 2, *[0] * n]).tolist() for n in sizes], seed=seed)


def trained(
    threads: int, number: int = 0, seed: int = 5, window: int = 0, **changed: object
) -> lgb.Booster:
    params = params_of(**changed)
    shared = SharedParams(seed=seed, threads=threads, folds=FOLDS)
    data = dataset([fold_of(1), fold_of(2)], params, shared)
    return train(data, params, shared, number + 1, window)[-1]


@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg", "binary"])
def test_trees_split_by_the_objective(objective: str) -> None:
    booster = trained(1, objective=objective)
    assert booster.num_trees() == 6
    assert f"[objective: {objective}]" in booster.model_to_string()


def test_many_rows_give_the_same_model_at_any_number_of_threads() -> None:
    """LightGBM sums float32 in float64, so the order shows only with many rows and gradients of
    many sizes: confident scores, here of a feature that tells the label."""
    n_lists, size = 600, 100
    rng = np.random.default_rng(0)
    examples = examples_of((rng.random((n_lists, size)) < 0.03).astype(int).tolist())
    examples.values[:, 0] += 2 * examples.label
    params = params_of(objective="binary", n_estimators=60, num_leaves=15, learning_rate=1.0)
    scores = []
    for threads in (1, 2):
        shared = SharedParams(seed=5, threads=threads, folds=FOLDS)
        found = train(dataset([examples], params, shared), params, shared, 3, 0)
        scores.append(predict(found, examples.values[:1000], threads).tobytes())
    assert scores[0] == scores[1]
    assert "[deterministic: 1]" in found[0].model_to_string()


@pytest.mark.parametrize(
    "drawn", [{"feature_fraction": 0.5}, {"bagging_fraction": 0.5}, {"negatives": 3}]
)
def test_every_model_has_draws_of_its_own(drawn: dict) -> None:
    """Samples of features, rows and negatives differ between models, seeds and windows."""
    every = {"feature_fraction": 1.0, "bagging_fraction": 1.0} | drawn
    others = [{"number": 1}, {"seed": 6}, {"number": 1, "seed": 4}, {"window": 1}]
    texts = [trained(1, **of, **every).model_to_string() for of in [{}, {}, *others]]
    first, again, *rest = (text.partition("\nparameters:")[0] for text in texts)  # without seeds
    assert first == again
    assert len({first, *rest}) == 1 + len(others)


def test_a_model_gets_its_lists_with_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rankers.training.lgb.train", lambda settings, data, n_trees: data)
    params = params_of(negatives=1, list_weight=0.5)
    (own,) = train(dataset([examples_of(LISTS)], params, SHARED), params, SHARED, 1, 0)
    assert own.get_group().tolist() == [2 + 1, 1 + 1, 1 + 1, 2 + 1]
    n = np.repeat([2, 1, 1, 2], own.get_group().astype(int))
    np.testing.assert_allclose(own.get_weight(), n**-0.5 / (n**-0.5).mean(), rtol=1e-6)


def test_models_are_read_in_the_order_of_their_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 comes after 2, and the models of another fold are none of these."""
    monkeypatch.setattr(models, "FOLDER", tmp_path)
    boosters = [trained(1, number, n_estimators=1 + number) for number in range(11)]
    save(tmp_path, "test", boosters)
    save(tmp_path, "test_2", boosters[:1])
    loaded = load("test")
    assert [model.num_trees() for model in loaded] == [1 + number for number in range(11)]
    values = fold_of(3).values
    expected = [model.predict(values, raw_score=True) for model in boosters]
    np.testing.assert_allclose(predict(loaded, values, 1), expected, rtol=1e-12)


def test_mean_average_precision_by_hand() -> None:
    """List 0 is ranked 1 0 1 with 2 + 1 relevant items, list 1 is ranked 0 1 with 1 + 1; ties keep
    the order of the candidates.
    """
    examples = examples_of([[0, 1, 1], [1, 0]])
    score = np.array([2.0, 3.0, 1.0, 0.0, 9.0])
    expected = ((1 / 1 + 2 / 3) / 3 + (1 / 2) / 2) / 2
    assert ranker.mean_average_precision(examples, score) == pytest.approx(expected)
    expected = ((1 / 2 + 2 / 3) / 3 + (1 / 1) / 2) / 2
    assert ranker.mean_average_precision(examples, np.zeros(5)) == pytest.approx(expected)


@pytest.mark.parametrize(("n_trees", "step"), [(6, 1), (45, 2)])
def test_the_learning_curve_ends_with_all_trees(n_trees: int, step: int) -> None:
    examples = fold_of(3)
    models = [trained(1, number, n_estimators=n_trees) for number in (0, 1)]
    curve = ranker.learning_curve(models, examples, n_trees)
    assert curve["trees"].tolist() == [*range(step, n_trees, step), n_trees]
    for row in (0, len(curve) - 1):
        options = {"num_iteration": int(curve["trees"][row]), "raw_score": True}
        score = sum(model.predict(examples.values, **options) for model in models)
        assert curve["map"][row] == ranker.mean_average_precision(examples, score)


def test_without_a_list_to_judge_by_the_learning_curve_is_empty(
    capsys: pytest.CaptureFixture,
) -> None:
    examples = fold_of(3)
    nobody = examples.take(np.zeros(len(examples.label), dtype=bool))
    curve = ranker.learning_curve([trained(1)], nobody, 6)
    assert (list(curve), len(curve)) == (["trees", "map"], 0)
    assert "no list of the fold validation has a relevant item" in capsys.readouterr().out


@pytest.mark.parametrize("fraction", [1e-300, 0.01])
def test_a_tree_has_a_row_however_few_there_are(fraction: float) -> None:
    """LightGBM ends where bagging leaves it none."""
    assert trained(1, bagging_fraction=fraction).num_trees() > 0


def test_feature_gain_is_a_share_the_largest_first() -> None:
    frame = ranker.feature_gain([trained(1, number) for number in (0, 1)])
    assert sorted(frame["feature"]) == ["a", "b", "c", "d"]
    assert frame["gain"].sum() == pytest.approx(1)
    assert frame["gain"].is_monotonic_decreasing
