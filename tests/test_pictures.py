"""Pictures: any number of models, each of which can be told apart."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from evaluation.labels import spread
from evaluation.pictures import draw_by_k, gain_by_window


@pytest.mark.parametrize("seed", range(5))
def test_labels_keep_their_order_and_do_not_overlap(seed: int) -> None:
    values = np.random.default_rng(seed).random(12).round(1)  # many are equal
    positions = spread(values, 0.3)
    order = np.argsort(values, kind="stable")
    assert (np.diff(positions[order]) > 0.3 - 1e-9).all()
    assert positions.mean() == pytest.approx(values.mean())


def test_labels_that_are_apart_stay() -> None:
    values = np.array([3.0, 1.0, 2.0])
    assert spread(values, 0.5).tolist() == [3.0, 1.0, 2.0]


def test_every_model_is_named_at_its_line() -> None:
    models = [f"model_{number}" for number in range(9)]
    frame = pd.DataFrame({"k": [1, 2], **{name: [0.1, 0.2] for name in models}})
    _, axes = plt.subplots()
    draw_by_k(axes, frame)
    assert sorted(text.get_text() for text in axes.texts) == sorted(
        name.replace("_", " ") for name in models
    )
    plt.close()


def test_a_window_of_few_users_has_no_interval() -> None:
    columns = ["fold", "window", "n_lists", "gain", "gain_low", "gain_high"]
    windows = pd.DataFrame([["test", 5, 40, 0.1, 0.05, 0.2], ["test_2", 4, 3, 0.1, None, None]])
    pooled = {"test": {"gain": 0.1, "gain_low": np.nan, "gain_high": np.nan}}
    figure = gain_by_window(windows.set_axis(columns, axis=1), pooled)
    shown = [text.get_text() for text in figure.axes[0].texts]
    few = "+0.1000 (too few users)"
    assert shown == ["+0.1000 (+0.0500 to +0.2000)", few, few]
    plt.close()
