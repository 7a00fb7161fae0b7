"""Labelled texts: reading them, and cutting them into parts that do not leak into one another."""
