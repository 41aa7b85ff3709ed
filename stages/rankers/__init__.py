"""The ranker: training, trained models and their scores."""
