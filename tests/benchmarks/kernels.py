"""Runs one stage and prints, as JSON on stderr, how its wall time divides: start-up (imports), each
kind of library kernel, and all else.

usage: python tests/benchmarks/kernels.py STAGE [FOLD]   (in the repository's top folder)
"""

import time

BEGAN = time.time()

import functools  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Callable  # noqa: E402
from operator import attrgetter  # noqa: E402
from pathlib import Path  # noqa: E402

KERNELS = {
    "implicit": [
        "implicit.cpu.als:AlternatingLeastSquares.fit",
        "implicit.nearest_neighbours:ItemItemRecommender.fit",
        "implicit.nearest_neighbours:CosineRecommender.fit",
        "implicit.nearest_neighbours:TFIDFRecommender.fit",
        "implicit.nearest_neighbours:BM25Recommender.fit",
    ],
    "lightgbm": ["lightgbm:train", "lightgbm:Dataset.construct", "lightgbm:Booster.predict"],
    "files": [
        "pyarrow.parquet:read_table",
        "pyarrow.parquet:write_table",
        "pyarrow.parquet:ParquetFile.read",
        "pyarrow.parquet:ParquetFile.read_row_group",
        "pyarrow.parquet:ParquetWriter.write_table",
        "numpy:load",
        "numpy:save",
        "numpy:savez",
        "scipy.sparse:load_npz",
        "scipy.sparse:save_npz",
    ],
    "products, selection": [
        "numpy:matmul",
        "numpy:partition",
        "scipy.linalg:inv",
        "scipy.sparse:csr_array.__matmul__",
        "scipy.sparse:csr_matrix.__matmul__",
    ],
}


class Clock:
    """Seconds spent in kernels by kind; of nested calls the outermost counts. Threads that the
    stage starts, one per core, work side by side: a second of one is its part of a second.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.of_thread = threading.local()

    def wrapped(self, function: Callable, kind: str) -> Callable:
        """The same function, timed."""

        @functools.wraps(function)
        def timed(*args: object, **kwargs: object) -> object:
            if getattr(self.of_thread, "is_inside", False):
                return function(*args, **kwargs)
            self.of_thread.is_inside, start = True, time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                is_main = threading.current_thread() is threading.main_thread()
                side_by_side = 1 if is_main else len(os.sched_getaffinity(0))
                self.seconds[kind] += (time.perf_counter() - start) / side_by_side
                self.of_thread.is_inside = False

        return timed

    def watch(self) -> None:
        """Puts a clock around the kernels of the modules that are loaded, wherever a module holds
        one by name.
        """
        for kind, names in KERNELS.items():
            for name in names:
                module, path = name.split(":")
                if module not in sys.modules:
                    continue
                *parents, last = path.split(".")
                owner = attrgetter(*parents)(sys.modules[module]) if parents else None
                function = getattr(owner or sys.modules[module], last)
                replaced = self.wrapped(function, kind)
                if owner:
                    setattr(owner, last, replaced)
                    continue
                for holder in list(sys.modules.values()):
                    if getattr(holder, "__dict__", {}).get(last) is function:
                        setattr(holder, last, replaced)


def main() -> None:
    stage, *fold = sys.argv[1:]
    sys.path.insert(0, str(Path("stages").resolve()))
    sys.argv = [f"stages/{stage}.py", *fold]
    module = importlib.import_module(stage)
    start_up = time.time() - BEGAN
    clock = Clock()
    clock.watch()
    start = time.perf_counter()
    module.run_script(module.main)
    whole = time.perf_counter() - start
    shares = {"start-up": start_up, **clock.seconds}
    shares["else"] = whole - sum(clock.seconds.values())
    print(json.dumps(shares), file=sys.stderr)


if __name__ == "__main__":
    main()
