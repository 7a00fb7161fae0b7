"""The rules that a package must meet before it may enter a registry."""
