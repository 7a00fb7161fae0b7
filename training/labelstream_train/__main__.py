"""`python -m labelstream_train`, and `labelstream-train` where the package is installed: see `cli`."""

import sys

from .cli import main


def run() -> None:
    """Runs the command line and exits with its code."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
