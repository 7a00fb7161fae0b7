"""Checks the data before any time is spent on training."""
