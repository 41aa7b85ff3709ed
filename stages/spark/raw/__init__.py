"""Readers in Spark SQL, one for each source, which return the tables of ingest."""
