"""Row numbers over all partitions."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

BITS = 33  # of monotonically_increasing_id: the row's place in its partition


def numbered(rows: DataFrame, by: list[Column | str], name: str) -> DataFrame:
    """The rows with a column more: 0, 1, 2, … in the order of `by`, bigint.

    A sort spreads rows over partitions by samples, which differ from run to run. So the sorted rows
    are written to spark.checkpoints: both passes over them, and a lost executor, find the same.
    """
    place = F.monotonically_increasing_id()
    in_order = rows.orderBy(*by).withColumn("_number_place", place).checkpoint()
    part = F.shiftright("_number_place", BITS)
    sizes = in_order.groupBy(part.alias("part")).count().orderBy("part").collect()
    starts, start = [], 0
    for size in sizes:
        starts.append((size["part"], start))
        start += size["count"]
    starts = rows.sparkSession.createDataFrame(starts, "_number_part long, _number_start long")
    joined = in_order.join(F.broadcast(starts), part == F.col("_number_part"))
    number = F.col("_number_start") + F.col("_number_place").bitwiseAND(F.lit(2**BITS - 1))
    return joined.withColumn(name, number).drop("_number_place", "_number_part", "_number_start")
