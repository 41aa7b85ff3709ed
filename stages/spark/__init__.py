"""The same experiment on Apache Spark, a pipeline of its own: the local one needs nothing of it."""
