"""What the models recommend that the hybrid is held against."""
