"""Nothing that is made for a fold depends on its target window or on what comes later: for every
fold, every rewrite of the log, and with every source and family.

Whatever comes of the history stays to the byte; of what serves the users of the target window, what
is made for users who are in both.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clone import FOLDS
from leaks import EARLIEST_TEST, REWRITES, Outs, differing, differing_lists
from logs import LAYOUTS, TARGET, Log, run_stages

CASES = [(source, rewrite) for source, rewrites in REWRITES.items() for rewrite in rewrites]


def run(source: str, log: Log, folder: Path, *, is_judged: bool) -> Outs:
    run_stages(folder, source, log, *(["evaluate"] if is_judged else []))
    return Outs(folder)


@pytest.fixture(scope="module")
def as_it_is(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Log, Outs]]:
    """Return the log of a source and the outputs of the stages."""

    @functools.cache
    def made(source: str) -> tuple[Log, Outs]:
        folder = tmp_path_factory.mktemp("as_it_is")
        log = LAYOUTS[source].make(folder / "made")
        return log, run(source, log, folder, is_judged=True)

    return made


@pytest.mark.parametrize(("source", "rewrite"), CASES)
@pytest.mark.parametrize("fold", FOLDS)
def test_the_future_changes_nothing(
    fold: str, source: str, rewrite: str, as_it_is: Callable, tmp_path: Path
) -> None:
    log, before = as_it_is(source)
    later = REWRITES[source][rewrite](log, TARGET[fold], np.random.default_rng(TARGET[fold]))
    after = run(source, later, tmp_path, is_judged=fold == EARLIEST_TEST)
    assert differing(before.of_the_past(fold), after.of_the_past(fold)) == []
    assert differing_lists(before, after, fold) == []
