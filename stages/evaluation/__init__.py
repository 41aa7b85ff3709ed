"""Evaluation of top-k lists: metrics, intervals, tables and pictures."""
