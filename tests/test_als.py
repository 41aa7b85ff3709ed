"""ALS: what a positive weighs."""

from pathlib import Path

from harness.params import SharedParams
from harness.script import InputError

import numpy as np
import pyarrow.parquet as pq
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

import als as stage
from factorization import als
from folds.history import INTERACTIONS, TARGET_WINDOW, History, load_fold
from histories import LIKED, SEEN, split_table

SHARED = SharedParams(seed=3, threads=1, folds=["test", "validation", "label_1"])
ROWS = [  # user, item, window, strength; windows 2 and 3 are those of validation and test
    (0, 0, 0, LIKED),
    (1, 0, 0, 3),
    (0, 1, 0, SEEN),
    (1, 1, 0, 2),
    (2, 2, 0, LIKED),
    (0, 2, 1, 2),
    (2, 2, 1, 4),  # again
    (1, 2, 1, SEEN),
    (0, 3, 2, 4),
    (1, 3, 3, LIKED),
]


def params(confidence: str, alpha: float, half_life: float = 0) -> als.AlsParams:
    return als.AlsParams(
        factors=2,
        alpha=alpha,
        confidence=confidence,
        regularization=0.5,
        iterations=3,
        half_life=half_life,
    )


def written(rows: list[tuple[int, int, int, int]]) -> History:
    """The history of the fold validation of these rows, in files of the current folder."""
    INTERACTIONS.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(split_table(rows), INTERACTIONS)
    target = Path(TARGET_WINDOW.format(fold="validation"))
    target.parent.mkdir()
    target.write_text('{"window": 2}')
    return load_fold("validation")[0]


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.chdir(tmp_path)
    return written(ROWS)


def test_a_positive_weighs_its_strength_the_largest_of_its_rows(history: History) -> None:
    """What a fold's target holds has no weight: item 3 is not known."""
    matrix = als.weighted(history, params("strength", 1.5))
    np.testing.assert_array_equal(matrix.toarray(), [[1, 0, 2], [3, 2, 0], [0, 0, 4]])
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix.indices, history.positives.indices)
    np.testing.assert_array_equal(history.positives.data, [1, 1, 1, 1, 1])  # left as they were


def test_plain_items_are_the_library_on_ones(history: History) -> None:
    model = AlternatingLeastSquares(
        factors=2, alpha=1.5, regularization=0.5, iterations=3, random_state=3, num_threads=1
    )
    model.fit(sparse.csr_matrix(history.positives), show_progress=False)
    _, items = als.fit(history.positives, params("plain", 1.5), SHARED)
    assert items.tobytes() == model.item_factors.tobytes()


@pytest.mark.parametrize(
    ("confidence", "expected"),
    [
        ("plain", [[1 / 2, 0, 1], [1 / 2, 1 / 2, 0], [0, 0, 1 / 2]]),
        ("strength", [[1 / 2, 0, 2], [3 / 2, 2 / 2, 0], [0, 0, 4 / 2]]),
    ],
)
def test_a_positive_of_a_window_ago_weighs_half_of_that(
    history: History, confidence: str, expected: list[list[float]]
) -> None:
    """With a half-life of one window; the age of a pair is that of its first row."""
    matrix = als.weighted(history, params(confidence, 1.5, half_life=1.0))
    np.testing.assert_array_equal(matrix.toarray(), expected)
    assert matrix.dtype == np.float32


@pytest.mark.parametrize("half_life", [0, 1.0])
@pytest.mark.parametrize("confidence", ["plain", "strength"])
def test_users_solve_the_equations_of_the_paper(
    history: History, confidence: str, half_life: float
) -> None:
    """x = (Y'CY + 0.5 I)^-1 Y'Cp, where C is 1.5 times a positive's weight, and 1 elsewhere."""
    of = params(confidence, 1.5, half_life)
    weights = als.weighted(history, of)
    users, items = als.fit(weights, of, SHARED)
    for user, weight in zip(users, weights.toarray(), strict=True):
        confidences = np.diag(np.where(weight > 0, 1.5 * weight, 1))
        left = items.T @ confidences @ items + 0.5 * np.eye(2)
        expected = np.linalg.solve(left, items.T @ confidences @ (weight > 0))
        np.testing.assert_allclose(user, expected, atol=1e-5)


@pytest.mark.parametrize("confidence", ["plain", "strength"])
def test_fold_in_gives_the_users_of_the_fit_their_factors(
    history: History, confidence: str
) -> None:
    """To the bit, in any company; and zeros to one without a positive."""
    one = als.weighted(history, params(confidence, 1.5))
    users, items = als.fit(one, params(confidence, 1.5), SHARED)
    others = one[[2, 0, 0]]
    others.data[others.indptr[1] : others.indptr[2]] = 0  # the first user 0 likes nothing
    others.eliminate_zeros()
    found = als.fold_in(others, items, params(confidence, 1.5), SHARED)
    assert found.dtype == np.float32
    assert found.tobytes() == np.stack([users[2], np.zeros_like(users[0]), users[0]]).tobytes()


def test_strength_multiplies_alpha(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all have the strength 2, alpha is twice as large; by powers of two, so to the bit."""
    monkeypatch.chdir(tmp_path)
    history = written([(u, i, w, 2 if s else 0) for u, i, w, s in ROWS])
    twice = als.fit(history.positives, params("plain", 3.0), SHARED)
    of = params("strength", 1.5)
    weighted = als.fit(als.weighted(history, of), of, SHARED)
    assert [v.tobytes() for v in weighted] == [v.tobytes() for v in twice]


@pytest.mark.parametrize(("alpha", "regularization"), [(1e6, 0.0), (1e6, 1e9), (1e-300, 1e9)])
def test_factors_are_finite_or_there_is_one_line(
    history: History, alpha: float, regularization: float
) -> None:
    of = params("plain", alpha).model_copy(update={"regularization": regularization, "factors": 64})
    if regularization:
        found = als.fit(history.positives, of, SHARED)
        assert all(np.isfinite(factors).all() for factors in found)
        return
    with pytest.raises(InputError) as error:
        als.fit(history.positives, of, SHARED)
    assert str(error.value).startswith(
        "params.yaml: with als.alpha 1e+06, als.regularization 0 and als.factors 64 the"
        " equations of ALS have no solution: raise regularization"
    )


def test_users_who_cannot_be_folded_in_are_one_line(history: History) -> None:
    items = np.full((3, 2), np.nan, dtype=np.float32)
    with pytest.raises(InputError, match="the equations of ALS have no solution"):
        als.fold_in(history.positives, items, params("plain", 1.0), SHARED)


def test_strength_draws_the_factors_to_the_stronger_pairs(history: History) -> None:
    """Twice the strength of one pair leaves less of an error in it, and only alpha 0 would not."""
    plain = als.fit(history.positives, params("plain", 1.5), SHARED)
    of = params("strength", 1.5)
    strong = als.fit(als.weighted(history, of), of, SHARED)
    errors = [1 - users[1] @ items[0] for users, items in (plain, strong)]
    assert 0 < errors[1] < errors[0]


def main_with(confidence: str, monkeypatch: pytest.MonkeyPatch, half_life: float = 0) -> bytes:
    """The factors that the stage writes."""
    Path("params.yaml").write_text(
        "seed: 3\nthreads: 1\nfolds: [test, validation, label_1]\nals:\n  factors: 2\n"
        f"  alpha: 1.5\n  confidence: {confidence}\n  regularization: 0.5\n  iterations: 3\n"
        f"  half_life: {half_life}\n"
    )
    monkeypatch.setattr("sys.argv", ["als.py", "validation"])
    stage.main()
    return Path("data/als/validation.npz").read_bytes()


def test_the_stage_reads_strengths_only_where_they_are_asked_for(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    strong = main_with("strength", monkeypatch)
    monkeypatch.setattr(als, "strengths", None)
    plain = main_with("plain", monkeypatch)
    assert plain != strong
    assert plain == main_with("plain", monkeypatch)


def test_the_stage_decays(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main_with("plain", monkeypatch) != main_with("plain", monkeypatch, half_life=1.0)
