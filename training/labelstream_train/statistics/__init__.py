"""Numbers in, numbers out: metrics of a classifier, their intervals, and significance tests."""
