"""What a fold is made of: tables, history, target, factors and candidate lists, and their files."""
