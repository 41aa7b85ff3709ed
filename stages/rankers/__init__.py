"""The ranker: training examples, training, trained models and the scores they give."""
