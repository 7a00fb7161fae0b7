"""Model packages: writes them, and runs them as the classifier does."""
