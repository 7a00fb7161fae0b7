"""docker-compose.yml as data, and moved from containers onto this machine.

A container has an address (`kafka:19092`) and paths (`/data`) of its own. `Here` gives each address a free port of
127.0.0.1 and each mount a path of this machine, and writes both into commands and environments, so that what the file
says runs as processes. Nothing else of it is changed.
"""

import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
OUR_IMAGE = "labelstream:0.1.0"


@dataclass(frozen=True, slots=True)
class Service:
    """One service; `entrypoint` and `command` are what its container executes, as far as the file says it."""

    name: str
    image: str
    entrypoint: list[str]
    command: list[str]
    environment: dict[str, str]
    mounts: dict[str, str]
    """Source by target: a path of this repository (`./..`), or the name of a volume."""
    healthcheck: list[str]
    written: dict[str, object]
    """All of it, as written."""

    @property
    def is_ours(self) -> bool:
        return self.image == OUR_IMAGE


def services() -> dict[str, Service]:
    """Every service, by name, whatever its profile."""
    return {name: _service(name, written) for name, written in document()["services"].items()}


def document() -> dict:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def _service(name: str, written: dict) -> Service:
    def words(key: str) -> list[str]:
        found = written.get(key, [])
        assert isinstance(found, list), f"{name}.{key} is not a list, so a shell would split it"
        return [str(word).replace("$$", "$") for word in found]

    mounts = [mount.split(":") for mount in written.get("volumes", [])]
    return Service(
        name=name,
        image=written["image"],
        entrypoint=words("entrypoint"),
        command=words("command"),
        environment={key: str(value).replace("$$", "$") for key, value in written.get("environment", {}).items()},
        mounts={target: source for source, target, *_ in mounts},
        healthcheck=written.get("healthcheck", {}).get("test", []),
        written=written,
    )


def image_environment() -> dict[str, str]:
    """What the Dockerfile sets for every container of ours."""
    found = re.search(r"^ENV (.*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert found, "the Dockerfile sets no environment"
    return dict(pair.split("=", 1) for pair in found[1].split())


@dataclass(slots=True)
class Here:
    """Where each address and path of the file is on this machine."""

    folder: Path
    services: dict[str, Service]
    addresses: dict[str, str] = field(default_factory=dict)

    def address(self, service: str, port: int | str) -> str:
        """The same for the same question."""
        known = self.addresses.get(f"{service}:{port}")
        if known is None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                known = self.addresses[f"{service}:{port}"] = f"127.0.0.1:{free.getsockname()[1]}"
        return known

    def path(self, service: Service, target: str) -> Path:
        """A mount: of a volume, a folder of its own; of a file, a copy whose addresses are moved too."""
        source = service.mounts[target]
        if not source.startswith("./"):
            place = self.folder / "volumes" / source
            place.mkdir(parents=True, exist_ok=True)
            return place
        original = ROOT / source
        assert original.exists(), f"{service.name} mounts {source}, which does not exist"
        if original.is_dir():
            return original
        place = self.folder / service.name / original.name
        place.parent.mkdir(exist_ok=True)
        place.write_text(self.moved(original.read_text(encoding="utf-8"), service), encoding="utf-8")
        return place

    def moved(self, text: str, service: Service) -> str:
        """The same text with this machine's addresses and paths."""
        for target in sorted(service.mounts, key=len, reverse=True):
            if re.search(rf"(?<![\w.]){re.escape(target)}(?![\w-])", text):
                text = re.sub(rf"(?<![\w.]){re.escape(target)}(?![\w-])", str(self.path(service, target)), text)
        names = "|".join(map(re.escape, self.services))
        other = re.compile(rf"(?<![\w.-])({names}):(\d{{2,5}})\b")
        text = other.sub(lambda found: self.address(found[1], found[2]), text)
        # `:7070`, `0.0.0.0:9464` and `localhost:9092` are the container's own, and `://:9092` is of Kafka's listeners.
        own = re.compile(r"(?<![\w.\]-])(localhost|0\.0\.0\.0|(?<=://)|(?<=\s)|^):(\d{4,5})\b")
        return own.sub(lambda found: self.address(service.name, found[2]), text)

    def words(self, service: Service) -> list[str]:
        return [self.moved(word, service) for word in service.entrypoint + service.command]

    def environment(self, service: Service) -> dict[str, str]:
        """The image's, if it is ours, below the file's."""
        own = image_environment() if service.is_ours else {}
        own = {key: value for key, value in own.items() if key.startswith("LABELSTREAM__")}
        return {key: self.moved(value, service) for key, value in (own | service.environment).items()}
