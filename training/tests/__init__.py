"""`python -m unittest discover -s tests -t .` in training/; tests that need torch are skipped without it."""
