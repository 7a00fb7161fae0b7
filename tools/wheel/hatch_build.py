"""Says on which systems the wheel runs: it holds no Python, but a binary."""

import os

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PlatformTag(BuildHookInterface):
    """Any Python 3, one platform."""

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Sets what hatchling would otherwise take from a pure package."""
        build_data["tag"] = f"py3-none-{os.environ['LABELSTREAM_TAG']}"
        build_data["pure_python"] = False
