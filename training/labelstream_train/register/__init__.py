"""Registering a package in MLflow."""
