"""What the scripts on Spark share: the session, data sets, blocks of users, the item side."""
