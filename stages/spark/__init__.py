"""The same experiment on Apache Spark: see README.md."""

import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
if Path(sys.argv[0]).resolve().parent == HERE and not find_spec("pyspark"):
    sys.exit("pyspark is not installed; pip install -r requirements-spark.txt")
