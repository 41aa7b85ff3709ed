"""Experiments: results of revisions read and compared, settings tried one after the other."""
