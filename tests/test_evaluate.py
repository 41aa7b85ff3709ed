"""What evaluate says of an ALS that is not tuned, and the files it turns judged lists into."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import evaluate
from evaluation import results
from evaluation.judge import Judged, pool
from test_judge import judged_fold


def with_hits(**hits: list[list[bool]]) -> Judged:
    """Three lists of two places; the models that are not named hit nothing."""
    judged = judged_fold()
    nothing = {name: np.zeros((3, 2), dtype=bool) for name in judged.hits}
    own = {name: np.array(of) for name, of in hits.items()}
    return replace(judged, hits=nothing | own, n_relevant=np.array([1, 1, 1]))


FIRST, SECOND, NONE = [True, False], [False, True], [False, False]


@pytest.mark.parametrize(
    ("als", "popular", "ease", "is_told"),
    [
        ([FIRST, FIRST, NONE], [FIRST, FIRST, NONE], [NONE] * 3, False),  # as good as popular
        ([FIRST, SECOND, NONE], [FIRST, FIRST, NONE], [NONE] * 3, True),  # below popular
        ([FIRST, FIRST, SECOND], [NONE] * 3, [FIRST, FIRST, FIRST], True),  # 2.5 below 0.9 x 3
        ([FIRST, FIRST, FIRST], [NONE] * 3, [FIRST, FIRST, FIRST], False),
    ],
)
def test_an_untuned_als_is_told_on_one_line(
    als: list, popular: list, ease: list, is_told: bool, capsys: pytest.CaptureFixture
) -> None:
    evaluate.check_als(with_hits(als=als, popular=popular, ease=ease))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == is_told
    assert all("ALS is not tuned" in line and "als.alpha" in line for line in lines)


def test_baselines_name_their_settings_and_what_was_tried() -> None:
    settings = pd.DataFrame(
        {
            "model": ["popular", "ease", "ease"],
            "number": [0, 0, 1],
            "map": [0.1, 0.2, 0.3],
            "is_best": [True, False, True],
            "parameters": ["{}", '{"l2": 1.0}', '{"l2": 2.0}'],
        }
    )
    tree = results.baselines_tree({"validation": judged_fold()}, settings)
    assert tree["parameters"] == {"popular": {}, "ease": {"l2": 2.0}}
    assert tree["tried"] == [
        {"model": "ease", "l2": 1.0, "validation_map": 0.2},
        {"model": "ease", "l2": 2.0, "validation_map": 0.3},
    ]
    assert list(tree["validation"]) == ["popular"]


def test_what_has_no_interval_is_told_on_one_line(capsys: pytest.CaptureFixture) -> None:
    """Of a whole that is too small, its parts are not named."""
    small = judged_fold()  # users 0, 1 and 2, who is cold
    large = pool([replace(small, user=small.user + 3 * number) for number in range(5)])
    evaluate.report_small({"all": large, "test": small})
    assert capsys.readouterr().out.endswith(
        "no interval for fewer than 10 users: all cold (5), test (3)\n"
    )
    evaluate.report_small({"warm": large.of_users("warm")})
    assert capsys.readouterr().out == ""
