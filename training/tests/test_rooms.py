"""What holds of the source as a whole: torch stays in its room, and every part is small."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import labelstream_train

PACKAGE = Path(labelstream_train.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
LINES_MAX = 400
FUNCTION_LINES_MAX = 70


def imports(file: Path) -> set[str]:
    """First words of what a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


def test_only_the_encoder_imports_torch():
    others = [file for file in FILES if PACKAGE / "encoder" not in file.parents]
    assert len(others) > 50
    assert [file.name for file in others if "torch" in imports(file)] == []


@pytest.mark.parametrize("command", [["--help"], ["settings"], ["run", "--help"], ["gate", "--help"]])
def test_help_loads_nothing_heavy(command):
    """A second for help is too long, and the command line must start where torch is not installed."""
    code = (
        "import sys\nfrom labelstream_train.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'sklearn', 'matplotlib', 'mlflow', 'optuna', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_files_and_functions_are_short():
    long = [f"{file.name} has {n}" for file in FILES if (n := len(file.read_text().splitlines())) > LINES_MAX]
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX:
                long.append(f"{file.name}: {node.name}")
    assert long == []


def test_every_file_says_its_idea():
    assert [file.name for file in FILES if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))] == []
