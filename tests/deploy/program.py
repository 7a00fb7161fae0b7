"""What the program itself says, out of its sources: ports, paths, defaults, and how it creates the state topic."""

import re
import tomllib

from render import ROOT


def read(path):
    return (ROOT / path).read_text()


def found(pattern, path):
    match = re.search(pattern, read(path), flags=re.DOTALL)
    assert match, f"{path} has no {pattern!r} any more: these checks read it there"
    return match.group(1)


# Where each worker answers when nothing else is set.
PORTS = {
    "classify": int(found(r"\bport: (\d+)", "cli/src/classify.rs")),
    "drift": int(found(r"\bport: (\d+)", "cli/src/drift/live.rs")),
}
PATHS = set(re.findall(r'\.route\("(/\w+)"', read("service/src/http/pages.rs")))
VERSION = found(r'\nversion = "([^"]+)"', "Cargo.toml")
# As `labelstream drift` creates its state topic.
COMPACTED = dict(
    re.findall(r'\("([^"]+)", "([^"]+)"\)', found(r"COMPACTED: .*?= &\[(.*?)\n\];", "kafka/src/topics.rs"))
)
DEFAULTS = tomllib.loads(
    read("workers/default.toml") + read("engine/src/settings/default.toml") + read("packages/src/default.toml")
)


def default(section, key):
    """The default of a key; None for one without."""
    return DEFAULTS[section].get(key)
