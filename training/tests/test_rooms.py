"""What holds of the source as a whole: imports run one way, torch stays in its folder, and every part is small."""

import ast
import graphlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import labelstream_train

PACKAGE = Path(labelstream_train.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
LINES_MAX = 300
FUNCTION_LINES_MAX = 70


FOLDERS = (
    "data", "statistics", "package", "learning", "fast", "encoder", "register", "tune", "evaluate", "gate", "validate"
)  # fmt: skip
"""A folder imports only folders that stand before it; `fast` and `encoder` do not know each other."""
MODULES = {
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): file for file in FILES
}


def imported(tree: ast.AST, module: str) -> set[str]:
    """Every module that a source imports, at its top or inside a function; a name from a module counts as both."""
    package = module if MODULES.get(module, Path()).name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            found |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
    return found


IMPORTS = {module: imported(ast.parse(file.read_text(encoding="utf-8")), module) for module, file in MODULES.items()}


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first again at the end; empty where there is none."""
    try:
        graphlib.TopologicalSorter({name: found & imports.keys() for name, found in imports.items()}).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def reached(module: str) -> set[str]:
    """Every module that is imported with this one, whether at once or later."""
    found, waiting = set(), [module]
    while waiting:
        for name in IMPORTS.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def test_no_files_import_each_other_in_a_circle():
    # A package's own __init__ is imported with each of its files and holds nothing.
    assert circle({name: found - {PACKAGE.name} for name, found in IMPORTS.items()}) == []


def test_a_circle_is_found_inside_functions_and_between_folders():
    here = PACKAGE.name
    sources = {
        f"{here}.tune.study": "def note():\n    from ..data import parts",
        f"{here}.data.parts": "from .. import run",
        f"{here}.run": "import labelstream_train.tune.study",
    }
    imports = {name: imported(ast.parse(text), name) for name, text in sources.items()}
    assert set(circle(imports)) == set(sources)
    assert circle(imports | {f"{here}.run": set()}) == []


def test_folders_import_only_those_before_them():
    assert {file.parent.name for file in FILES if file.parent != PACKAGE} == set(FOLDERS)
    wrong = []
    for module, names in IMPORTS.items():
        folder = module.split(".")[1] if module.count(".") > 1 else ""
        others = {name.split(".")[1] for name in names if name.startswith(f"{PACKAGE.name}.")} & set(FOLDERS) - {folder}
        wrong += [
            f"{module} imports {other}" for other in others
            if folder and (FOLDERS.index(other) > FOLDERS.index(folder) or {folder, other} == {"fast", "encoder"})
        ]  # fmt: skip
    assert wrong == []


def test_only_the_encoder_imports_torch():
    torch_free = [module for module in MODULES if not module.startswith(f"{PACKAGE.name}.encoder.")]
    assert len(torch_free) > 100
    wrong = [module for module in torch_free if any("torch" in name.split(".") for name in IMPORTS[module])]
    assert wrong == [], "safetensors.torch counts, too"


def test_what_needs_no_torch_reaches_nothing_that_does():
    """`tiers` loads a tier by its name, so no import leads from the stages to the encoder but to its settings."""
    needs_torch = {name for name, names in IMPORTS.items() if any("torch" in each.split(".") for each in names)}
    assert f"{PACKAGE.name}.encoder.network" in needs_torch
    torch_free = [module for module in MODULES if not module.startswith(f"{PACKAGE.name}.encoder.")]
    wrong = {module: sorted(reached(module) & needs_torch) for module in torch_free}
    assert {module: found for module, found in wrong.items() if found} == {}
    assert reached(f"{PACKAGE.name}.encoder.stage") & needs_torch, "the walk finds torch where it is"


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
    ours = [*FILES, *Path(__file__).parent.glob("*.py")]
    long = [f"{file.name} has {n}" for file in ours if (n := len(file.read_text().splitlines())) > LINES_MAX]
    for file in ours:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX:
                long.append(f"{file.name}: {node.name}")
    assert long == []


def test_every_file_says_its_idea():
    assert [file.name for file in FILES if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))] == []
