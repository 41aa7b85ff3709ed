"""How each source's files become the tables of ingest, in Spark SQL."""
