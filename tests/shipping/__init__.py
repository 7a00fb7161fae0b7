"""Holds what users deploy (docker-compose.yml, the image, the archive, the wheel) to what it says."""
