"""Model packages: writing them, running them as the classifier does, proving that both agree."""
