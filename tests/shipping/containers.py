"""Builds the Dockerfile with buildah and runs its image with podman, as root, where no engine runs.

`docker pull` is not possible everywhere, so a base image that cannot be pulled is replaced by a stand-in under the same
name: Debian of the same release by debootstrap, with this machine's certificates and, for a full build, its Rust.
Both programs keep their images in a folder of their own below `target`.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .composed import ROOT

STORE = ROOT / "target" / "image-store"
STORAGE = ["--root", str(STORE / "root"), "--runroot", str(STORE / "run"), "--storage-driver", "overlay"]
LOCKED = [
    "--network", "host", "--cgroups=disabled", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
    "--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
    "--no-healthcheck",
]  # fmt: skip
"""As compose and Kubernetes run it; the host's network, because Debian's podman has no bridge without netavark."""
# crun wants cgroup v2 alone, and a container without systemd wants it writable: in a mount namespace of its own.
UNSHARED = [
    "unshare", "--mount", "bash", "-euc",
    'mount --make-rprivate /; if ! [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then '
    'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; fi; exec "$@"', "--",
]  # fmt: skip


def missing() -> str | None:
    """Why no image can be built and run here, if so."""
    if os.geteuid() != 0:
        return "needs root"
    programs = [name for name in ("buildah", "podman", "crun", "debootstrap", "unshare") if not shutil.which(name)]
    return f"not installed: {', '.join(programs)} (tools/install image)" if programs else None


def buildah(*arguments: str | Path, quiet: bool = True) -> str:
    return run("buildah", *STORAGE, *arguments, quiet=quiet)


def podman_command(*arguments: str | Path) -> list[str]:
    return [*UNSHARED, "podman", *STORAGE, "--cgroup-manager", "cgroupfs", *map(str, arguments)]


def run(*command: str | Path, quiet: bool = True) -> str:
    """Its output; fails with all that it said."""
    found = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE if quiet else None,
                           text=True, check=False)  # fmt: skip
    assert found.returncode == 0, f"{command}\n{found.stdout}\n{found.stderr}"
    return found.stdout.strip()


@dataclass(frozen=True, slots=True)
class Base:
    """The Dockerfile's base image, pulled or stood in for."""

    name: str
    is_stand_in: bool


def base(with_rust: bool) -> Base:
    (name,) = set(re.findall(r"^FROM (\S+/\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    stands_in = f"{name}#stand-in{'-with-rust' if with_rust else ''}"
    # Not "if missing": a stand-in of an earlier run has the same name.
    pull = ["buildah", *STORAGE, "pull", "--policy", "always", "--quiet", name]
    if subprocess.run(pull, capture_output=True, check=False).returncode == 0:
        return Base(name, is_stand_in=False)
    mark = STORE / "stand-in"
    if not mark.exists() or mark.read_text(encoding="utf-8") != stands_in:
        _make_stand_in(name, with_rust)
        mark.write_text(stands_in, encoding="utf-8")
    return Base(name, is_stand_in=True)


def _make_stand_in(name: str, with_rust: bool) -> None:
    release = name.rpartition("-")[2]
    root = STORE / "debian"
    if not (root / "etc" / "debian_version").exists():
        run("debootstrap", "--variant=minbase", "--include=ca-certificates,gcc,libc6-dev", release, root,
            "http://deb.debian.org/debian")  # fmt: skip
    container = buildah("from", "scratch")
    buildah("copy", "--quiet", container, root, "/")
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    buildah("copy", "--quiet", container, certificates, certificates)
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    if with_rust:
        toolchain = Path(run("rustc", "--print", "sysroot"))
        for folder in ("bin", "lib", "libexec"):
            buildah("copy", "--quiet", container, toolchain / folder, f"/usr/local/rust/{folder}")
        path = f"/usr/local/rust/bin:{path}"
    buildah("config", "--env", f"PATH={path}", "--env", "CARGO_HOME=/usr/local/cargo", "--env",
            f"PIP_CERT={certificates}", container)  # fmt: skip
    buildah("commit", "--quiet", "--rm", container, name)
