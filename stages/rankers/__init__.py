"""The ranker: training, trained models and the scores they give."""
