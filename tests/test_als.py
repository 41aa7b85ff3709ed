"""ALS: what a positive weighs, and its factors."""

import json
from pathlib import Path

from core import factors
from core.history import History, load_history
from core.script import InputError

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

import als as stage
from histories import LIKED, SEEN, write_split
from models import als

ROWS = [  # windows 2 and 3 are those of validation and test
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
WITH = {"seed": 3, "n_threads": 1}


def params(**changed: object) -> als.AlsParams:
    settings = {"factors": 2, "alpha": 1.5, "confidence": "plain", "regularization": 0.5}
    return als.AlsParams(**{**settings, "iterations": 3, "half_life": 0, **changed})


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.chdir(tmp_path)
    write_split(ROWS, test=3, validation=2, label_1=1)
    return load_history("validation")


@pytest.mark.parametrize(
    ("confidence", "half_life", "expected"),
    [
        ("strength", 0, [[1, 0, 2], [3, 2, 0], [0, 0, 4]]),  # the largest of its rows
        ("plain", 1.0, [[1 / 2, 0, 1], [1 / 2, 1 / 2, 0], [0, 0, 1 / 2]]),  # age of the first row
        ("strength", 1.0, [[1 / 2, 0, 2], [3 / 2, 2 / 2, 0], [0, 0, 4 / 2]]),
    ],
)
def test_weights_of_positives(
    history: History, confidence: str, half_life: float, expected: list[list[float]]
) -> None:
    """The target has no weight: item 3 is not known."""
    matrix = als.weighted(history, params(confidence=confidence, half_life=half_life))
    np.testing.assert_array_equal(matrix.toarray(), expected)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix.indices, history.positives.indices)
    np.testing.assert_array_equal(history.positives.data, [1, 1, 1, 1, 1])  # left as they were


def test_plain_items_are_the_library_on_ones(history: History) -> None:
    model = AlternatingLeastSquares(
        factors=2, alpha=1.5, regularization=0.5, iterations=3, random_state=3, num_threads=1
    )
    model.fit(sparse.csr_matrix(history.positives), show_progress=False)
    _, items = als.fit(history.positives, params(), **WITH)
    assert items.tobytes() == model.item_factors.tobytes()


@pytest.mark.parametrize("half_life", [0, 1.0])
@pytest.mark.parametrize("confidence", ["plain", "strength"])
def test_users_solve_the_equations_of_the_paper(
    history: History, confidence: str, half_life: float
) -> None:
    """x = (Y'CY + 0.5 I)^-1 Y'Cp, where C is 1.5 times a positive's weight, and 1 elsewhere. And a
    user who is folded in gets the same bytes in any company; zeros without a positive.
    """
    of = params(confidence=confidence, half_life=half_life)
    weights = als.weighted(history, of)
    users, items = als.fit(weights, of, **WITH)
    for user, weight in zip(users, weights.toarray(), strict=True):
        confidences = np.diag(np.where(weight > 0, 1.5 * weight, 1))
        left = items.T @ confidences @ items + 0.5 * np.eye(2)
        expected = np.linalg.solve(left, items.T @ confidences @ (weight > 0))
        np.testing.assert_allclose(user, expected, atol=1e-5)
    others = weights[[2, 0, 0]]
    others.data[others.indptr[1] : others.indptr[2]] = 0  # the first user 0 likes nothing
    others.eliminate_zeros()
    found, _ = als.fit(others, of, **WITH, item_factors=items)
    assert found.tobytes() == np.stack([users[2], np.zeros_like(users[0]), users[0]]).tobytes()


def test_factors_are_finite_or_there_is_one_line(history: History) -> None:
    for alpha in (1e6, 1e-300):
        of = params(alpha=alpha, regularization=1e9, factors=64)
        assert all(np.isfinite(of).all() for of in als.fit(history.positives, of, **WITH))
    with pytest.raises(InputError, match="als.factors 64 the equations of ALS have no sol"):
        als.fit(history.positives, params(alpha=1e6, regularization=0, factors=64), **WITH)


def main_with(**changed: object) -> bytes:
    """Return the factors that the stage writes for all folds; by hand it writes one alone."""
    tree = {"seed": 3, "threads": 1, "folds": ["test", "validation", "label_1"]}
    Path("params.yaml").write_text(json.dumps({**tree, "als": params(**changed).model_dump()}))
    stage.main([])
    found = {path.name: path.read_bytes() for path in factors.FOLDER.iterdir()}
    assert sorted(found) == ["label_1.npz", "test.npz", "validation.npz"]
    (factors.FOLDER / "validation.npz").unlink()
    stage.main(["validation"])
    assert {path.name: path.read_bytes() for path in factors.FOLDER.iterdir()} == found
    return found["validation.npz"]


def test_the_stage(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strengths are read only if they are needed."""
    strong = main_with(confidence="strength")
    monkeypatch.setattr(als, "strengths", None)
    assert len({strong, main_with(half_life=1.0), main_with()}) == 3
    of = factors.load(factors.FOLDER / "validation.npz")
    for name, values in vars(als.factors_of(history, params(), **WITH)).items():
        assert getattr(of, name).tobytes() == values.tobytes()


@pytest.mark.parametrize(("regularization", "is_collapsed"), [(0.5, False), (20.0, True)])
def test_collapsed_factors_are_reported(
    regularization: float, is_collapsed: bool, capsys: pytest.CaptureFixture
) -> None:
    """The message has the command that tunes ALS. The largest squared singular value decides."""
    main_with(regularization=regularization)
    shares = []
    for path in factors.FOLDER.iterdir():
        squares = np.linalg.svd(factors.load(path).item_factors, compute_uv=False) ** 2
        shares.append(squares[0] / squares.sum())
    assert (max(shares) > factors.COLLAPSED) == is_collapsed
    said = capsys.readouterr().out
    for text in ("(now 20), or run python stages/search.py", f"up to {max(shares):.1%} of their"):
        assert (text in said) == is_collapsed
    assert factors.energy_share(np.ones((3, 1), np.float32)) == 0  # one dimension cannot collapse
