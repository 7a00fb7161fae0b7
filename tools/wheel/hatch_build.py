"""What the wheel is of: a tree of files, no Python, for one platform."""

import os
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Tree(BuildHookInterface):
    """Installs `lib` and `share` of the tree beside the binary's folder."""

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Sets what hatchling would otherwise take from a pure package. A folder is not enough for it: it selects files."""
        build_data["tag"] = f"py3-none-{os.environ['LABELSTREAM_TAG']}"
        build_data["pure_python"] = False
        tree = Path(self.root) / "tree"
        files = (
            path
            for part in ("lib", "share")
            for path in (tree / part).rglob("*")
            if path.is_file()
        )
        build_data["shared_data"] = {
            str(path): str(path.relative_to(tree)) for path in files
        }
