"""The folds of params.yaml in the data sets."""

from harness.params import SharedParams

from spark.engine.data_sets import DataSets
from spark.raw.tables import Schema


def schema_of(sets: DataSets) -> Schema:
    """What `ingest` says of the columns."""
    sets.check("ingest", "schema")
    return Schema.load(sets.files.read_utf8(sets.path("schema/schema.json")))


def target_windows(sets: DataSets, shared: SharedParams) -> dict[str, int]:
    """The number of each fold's target window: the last one for the first, and so on backwards."""
    n_windows = sets.check("windows", "windows")["rows"]
    return {fold: n_windows - behind for behind, fold in enumerate(shared.folds, start=1)}
