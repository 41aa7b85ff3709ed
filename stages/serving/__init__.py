"""Users who come after the models were trained: what a file says of them."""
