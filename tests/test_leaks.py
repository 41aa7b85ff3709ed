"""Nothing that is made for a fold depends on its target window or on what comes later.

The log is rewritten from the target window on; tests/long does so for every fold and in every way.
"""

from pathlib import Path

import numpy as np
import pytest

from leaks import REWRITES, Outs, differing, differing_lists
from logs import LAYOUTS, TARGET, run_stages

FOLD = "validation"


@pytest.mark.parametrize(("source", "rewrite"), [("movielens-1m", "changed"), ("vk-lsvd", "added")])
def test_the_future_changes_nothing(source: str, rewrite: str, tmp_path: Path) -> None:
    log = LAYOUTS[source].make(tmp_path / "made")
    later = REWRITES[source][rewrite](log, TARGET[FOLD], np.random.default_rng(0))
    both = []
    for name, one in (("before", log), ("after", later)):
        (tmp_path / name).mkdir()
        run_stages(tmp_path / name, source, one)
        both.append(Outs(tmp_path / name))
    assert differing(*(outs.of_the_past(FOLD) for outs in both)) == []
    assert differing_lists(*both, FOLD) == []
