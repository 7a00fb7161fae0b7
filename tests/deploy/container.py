"""A container of the manifests as a process of this machine.

Its command is started as it stands, with its ConfigMap and Secrets as files, and only the paths, the port and the
brokers of this machine in place of the cluster's.
"""

import contextlib
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from render import ROOT, named

BINARY = Path(os.environ.get("LABELSTREAM_BINARY", ROOT / "target/debug/labelstream"))
# Nobody listens there: the program goes on trying.
NO_BROKER = "127.0.0.1:9"
# However slow the machine is.
PATIENCE = 120


class Container:
    """A container of the manifests as a process of this machine."""

    def __init__(self, workload, objects, folder, secrets, change=lambda text: text, brokers=NO_BROKER):
        pod = workload["spec"]["template"]["spec"] if "template" in workload["spec"] else workload["spec"]
        self.name = workload["metadata"]["name"]
        self.container = pod["containers"][0]
        self.port = free_port()
        for place in ("etc", "data"):
            (folder / place).mkdir(exist_ok=True)
        mounted = next(volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume)
        text = named(objects, "ConfigMap", mounted)["data"]["labelstream.toml"]
        self.here = {
            "/etc/labelstream": str(folder / "etc"),
            "/var/lib/labelstream": str(folder / "data"),
            "/run/secrets": str(secrets),
        }
        text = re.sub(r"brokers = \[.*?\]", f'brokers = ["{brokers}"]', self.moved(change(text)))
        (folder / "etc/labelstream.toml").write_text(text)
        self.folder = folder

    def moved(self, text):
        for there, here in self.here.items():
            text = text.replace(there, here)
        return text

    def variables(self):
        found = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "data")}
        if "ORT_DYLIB_PATH" in os.environ:
            found["ORT_DYLIB_PATH"] = os.environ["ORT_DYLIB_PATH"]
        for one in self.container.get("env", []):
            if "valueFrom" in one:
                assert one["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
                found[one["name"]] = f"{self.name}-0"
            else:
                found[one["name"]] = re.sub(r"^0\.0\.0\.0:\d+$", f"127.0.0.1:{self.port}", one["value"])
        # As the settings of a store find an identity: none is asked for before the first report.
        return {**found, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    @contextlib.contextmanager
    def started(self):
        command = [str(BINARY), *map(self.moved, self.container["args"])]
        log = self.folder / "log"
        with log.open("w") as out:
            process = subprocess.Popen(
                command, env=self.variables(), cwd=self.folder / "data", stdout=out, stderr=subprocess.STDOUT
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    def log(self):
        return (self.folder / "log").read_text()

    def ask(self, path):
        """Status and body; None while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def until(what, process, container):
    """The first answer that is not None, unless the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answer = what()
        if answer is not None:
            return answer
        assert process.poll() is None, container.log()
        time.sleep(0.1)
    raise AssertionError(f"no answer within {PATIENCE} s:\n{container.log()}")
