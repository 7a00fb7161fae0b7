"""The rules that a package must pass before it may be registered."""
