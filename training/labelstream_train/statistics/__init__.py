"""Numbers in, numbers out: figures of a classifier, their intervals, and tests on them."""
