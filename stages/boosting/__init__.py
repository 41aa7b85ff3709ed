"""The ranker: labelled examples, training and models of LightGBM."""
