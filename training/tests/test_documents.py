"""Every command of this project that a document shows can be typed as it stands there, after the install lines."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from labelstream_train import __main__, cli, settings

TRAINING = Path(__file__).parents[1]
DOCUMENTS = [TRAINING / "README.md", TRAINING / "pipelines" / "README.md",
             *sorted((TRAINING.parent / "docs").glob("*.md")),
             TRAINING / "labelstream_train" / "gate" / "default_rules.toml"]  # fmt: skip


def commands() -> list[tuple[str, str]]:
    """Document and command, of blocks and of lines; a backslash goes on with the next line."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
        lines += re.findall(r"`(labelstream-train [a-z]+ -[^`]*)`", text.replace("\n", " "))
        lines += re.findall(r"#\s+(labelstream-train .*)", text) if path.suffix == ".toml" else []
        found += [(path.name, line.strip()) for line in lines if line.strip().startswith("labelstream-train ")]
    return found


@pytest.mark.parametrize(("document", "command"), commands())
def test_a_command_can_be_typed_as_written(document, command):
    arguments = shlex.split(command.replace("> mine.toml", ""), comments=True)[1:]
    parsed = cli._parser().parse_args(arguments)
    if getattr(parsed, "set", None):
        settings.check(settings.override({}, parsed.set))


def test_there_are_commands_in_every_page_about_training():
    assert {"README.md", "gates.md", "evaluation.md", "packages.md", "default_rules.toml"} <= {
        name for name, _ in commands()
    }


def test_the_install_lines_put_the_command_on_the_path():
    readme = (TRAINING / "README.md").read_text(encoding="utf-8")
    block = next(each for each in re.findall(r"```\n(.*?)```", readme, re.DOTALL) if "venv" in each)
    lines = block.splitlines()
    assert lines.index("pip install --no-deps -e .") < next(
        n for n, line in enumerate(lines) if "labelstream-train run" in line
    )
    project = tomllib.loads((TRAINING / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"labelstream-train": "labelstream_train.__main__:run"}
    assert callable(__main__.run)


def test_the_documented_space_is_one():
    readme = (TRAINING / "README.md").read_text(encoding="utf-8")
    block = next(each for each in re.findall(r"```\n(.*?)```", readme, re.DOTALL) if "[tune.space]" in each)
    from labelstream_train.tune import space

    given = settings.check(tomllib.loads(block) | {"run": {"tier": "fast"}})
    assert set(space.of(given)) == {"learning_rate", "dropout", "dimensions", "class_weights"}
    assigned = re.search(r"--set \"(tune\.space=.*)\"`", readme).group(1)
    assert set(settings.check(settings.override({}, [assigned])).tune.space) == {"dropout", "class_weights"}
