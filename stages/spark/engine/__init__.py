"""Shared code of the scripts on Spark: session, data sets, blocks of users, item side."""
