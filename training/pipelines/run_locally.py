"""Runs a compiled Kubeflow pipeline on this machine, without a cluster or containers: each component as a process.

It runs what the cluster would run, except for the image: components use this Python and the `labelstream-train` on the
PATH. Artifacts go to --root. usage: python pipelines/run_locally.py --data FILE_OR_DIR
--settings FILE [--pipeline pipeline.yaml] [--root artifacts]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kfp import components, local


def main(arguments: Sequence[str]) -> int:
    """Runs the pipeline; exits with 1 if a component fails."""
    parser = argparse.ArgumentParser(description="runs a compiled Kubeflow pipeline on this machine")
    parser.add_argument("--pipeline", type=Path, default=Path("pipeline.yaml"), help="[pipeline.yaml]")
    parser.add_argument("--data", type=Path, required=True, help="file or folder of labelled texts")
    parser.add_argument("--settings", type=Path, required=True, help="settings file")
    parser.add_argument("--root", type=Path, default=Path("artifacts"), help="folder for the artifacts [artifacts]")
    parsed = parser.parse_args(arguments)
    for path in (parsed.pipeline, parsed.data, parsed.settings):
        if not path.exists():
            print(f"error: failed to read {path}: there is no such file or folder", file=sys.stderr)
            return 2
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(parsed.root))
    compiled = components.load_component_from_file(str(parsed.pipeline))
    try:
        compiled(data=str(parsed.data.resolve()), settings=parsed.settings.read_text(encoding="utf-8"))
    except RuntimeError as error:
        print(f"error: failed to run {parsed.pipeline}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
