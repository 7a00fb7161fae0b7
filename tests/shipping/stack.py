"""The services of docker-compose.yml as processes of this machine, each with the command that the file gives it.

Kafka, its tools, Prometheus and MLflow are the programs that the images hold; what an image adds by itself (Kafka's
settings from variables, Prometheus's flags) is repeated here. The S3 server is the file's own where it was built
(`tools/install versitygw`, needs Go), else moto.
"""

import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .composed import ROOT, Here, Service

TOOLS = ROOT / ".tools"
BINARY = Path(os.environ.get("LABELSTREAM_BINARY", ROOT / "target" / "debug" / "labelstream"))
PATIENCE_S = 180
"""Far beyond what a start takes on a loaded machine with two cores."""


def until(what: str, is_true: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Waits until it is; fails, saying what was awaited."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"waited {seconds} s until {what}"
        time.sleep(0.2)


def ask(url: str, host: str | None = None) -> tuple[int, str]:
    """Status and body; 0 when nobody answers."""
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


@dataclass(slots=True)
class Stack:
    """What runs; `stop` ends it all, the last started first."""

    here: Here
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def services(self) -> dict[str, Service]:
        return self.here.services

    def log(self, name: str) -> str:
        return (self.here.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def start(self, name: str, command: list[str], environment: dict[str, str] | None = None) -> None:
        """A process in an empty folder and a group of its own, with little of this machine's environment."""
        folder = self.here.folder / "working" / name
        folder.mkdir(parents=True, exist_ok=True)
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "SSL_CERT_FILE") if key in os.environ}
        with (self.here.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command, cwd=folder, env=kept | (environment or {}), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def end(self, name: str, seconds: float) -> int:
        """Asks as an engine does, by SIGTERM, and returns the exit code."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGTERM)
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"{name} went on for {seconds} s after SIGTERM:\n{self.log(name)[-2000:]}") from None

    def stop(self) -> None:
        for name in reversed(list(self.running)):
            try:
                self.end(name, 10)
            except (AssertionError, ProcessLookupError):
                continue

    def labelstream(self, name: str) -> None:
        """A service of ours: its command in the image's folder, with its environment."""
        service = self.services[name]
        self.start(name, [str(BINARY), *self.here.words(service)], self.here.environment(service))

    def is_healthy(self, name: str) -> bool:
        """What the file's own health check says."""
        service = self.services[name]
        kind, program, *arguments = service.healthcheck
        assert (kind, program) == ("CMD", "labelstream")
        environment = os.environ | self.here.environment(service)
        found = subprocess.run([BINARY, *arguments], env=environment, capture_output=True, check=False)
        assert self.running[name].poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
        return found.returncode == 0

    def kafka(self) -> None:
        """The image turns KAFKA_SOME_NAME into some.name, formats the folder and starts a node."""
        service = self.services["kafka"]
        variables = self.here.environment(service)
        properties = {
            key.removeprefix("KAFKA_").replace("_", ".").lower(): self.here.moved(value, service)
            for key, value in variables.items()
            if key.startswith("KAFKA_")
        }
        assert properties["log.dirs"] == str(self.here.path(service, "/var/lib/kafka/data"))
        file = self.here.folder / "node.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()), encoding="utf-8")
        java = ["java", "-Xmx512m", "-cp", f"{TOOLS}/kafka/libs/*"]
        formatted = [*java, "kafka.tools.StorageTool", "format", "-t", variables["CLUSTER_ID"], "-c", str(file)]
        found = subprocess.run(formatted, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout + found.stderr
        self.start("kafka", [*java, "kafka.Kafka", str(file)])
        address = self.here.address("kafka", 9092)
        until("Kafka listens", lambda: self._listens("kafka", address))

    def _listens(self, name: str, address: str) -> bool:
        assert self.running[name].poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
        host, port = address.split(":")
        return (
            subprocess.run(["bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}"], stderr=subprocess.DEVNULL).returncode == 0
        )

    def kafka_words(self, name: str) -> list[str]:
        """A command of the Kafka image, with its scripts where Kafka is here."""
        return [
            word.replace("/opt/kafka/bin", str(self._kafka_scripts())) for word in self.here.words(self.services[name])
        ]

    def _kafka_scripts(self) -> Path:
        scripts = self.here.folder / "kafka-bin"
        scripts.mkdir(exist_ok=True)
        for script, program in (("topics", "TopicCommand"), ("console-producer", "ConsoleProducer")):
            file = scripts / f"kafka-{script}.sh"
            libraries = f"{TOOLS}/kafka/libs/*:{TOOLS}/kafka-tools/*"
            file.write_text(f'#!/bin/sh\nexec java -Xmx256m -cp "{libraries}" org.apache.kafka.tools.{program} "$@"\n')
            file.chmod(0o755)
        return scripts

    def s3(self) -> str:
        """Starts the file's server, or moto in its place; says which."""
        service = self.services["s3"]
        address = self.here.address("s3", 7070)
        gateway = shutil.which("versitygw", path=f"{TOOLS}/versitygw")
        if gateway:
            words = [word.replace("versitygw", gateway) for word in self.here.words(service)]
            self.start("s3", words, self.here.environment(service))
            until("the S3 server is healthy", lambda: ask(f"http://{address}/health")[0] == 200)
            return service.image
        moto = TOOLS / "python" / "bin" / "moto_server"
        host, port = address.split(":")
        self.start("s3", [str(moto), "-H", host, "-p", port])
        until("moto listens", lambda: self._listens("s3", address))
        request = urllib.request.Request(f"http://{address}/labelstream", method="PUT")
        with urllib.request.urlopen(request, timeout=30):
            return "moto, in place of the file's server"

    def prometheus(self) -> None:
        """With the flags that the image starts it with."""
        service, address = self.services["prometheus"], self.here.address("prometheus", 9090)
        program = TOOLS / "prometheus" / "usr" / "bin" / "prometheus"
        configuration = self.here.path(service, "/etc/prometheus/prometheus.yml")
        data = self.here.path(service, "/prometheus")
        self.start("prometheus", [
            str(program), f"--config.file={configuration}", f"--storage.tsdb.path={data}",
            f"--web.listen-address={address}",
        ])  # fmt: skip
        until("Prometheus is ready", lambda: ask(f"http://{address}/-/ready")[0] == 200)

    def alertmanager(self) -> None:
        service, address = self.services["alertmanager"], self.here.address("alertmanager", 9093)
        unpacked = TOOLS / "prometheus" / "usr"
        configuration = self.here.path(service, "/etc/alertmanager/alertmanager.yml")
        # Debian's looks for its templates in /usr/share, where an unpacked package has none.
        mount = f'mount -t overlay overlay -o lowerdir={unpacked}/share:/usr/share /usr/share && exec "$@"'
        self.start("alertmanager", [
            "unshare", "-rm", "sh", "-c", mount, "--", str(unpacked / "bin" / "prometheus-alertmanager"),
            f"--config.file={configuration}", f"--storage.path={self.here.folder}/alertmanager",
            f"--web.listen-address={address}", "--cluster.listen-address=",
        ])  # fmt: skip
        until("Alertmanager is ready", lambda: ask(f"http://{address}/-/ready")[0] == 200)

    def read(self, topic: str) -> list[bytes]:
        """Every committed record of a topic up to now."""
        broker = self.here.address("kafka", 19092)
        command = [
            "kcat",
            "-C",
            "-e",
            "-q",
            "-b",
            broker,
            "-t",
            topic,
            "-X",
            "isolation.level=read_committed",
            "-D",
            "\\n",
        ]
        found = subprocess.run(command, capture_output=True, check=False, timeout=120)
        assert found.returncode == 0, found.stderr.decode()
        return [line for line in found.stdout.split(b"\n") if line]
