"""A real Docker 20.10 with its devicemapper driver on loop files, for the tests in the kernel lab."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

PEERS = Path(os.environ.get("DMTUI_PEERS", "/nonexistent"))
SCRATCH = Path(os.environ.get("DMTUI_SCRATCH", "/nonexistent"))
OUT = Path(os.environ.get("DMTUI_OUT", "/tmp"))
ENVIRONMENT = os.environ | {"PATH": f"{PEERS}/usr/sbin:{PEERS}/usr/bin:/usr/sbin:/sbin:/usr/bin:/bin"}


class Docker:
    """One data root of Docker, its daemon started and stopped at will."""

    def __init__(self, root: Path, *options: str):
        self.root = root
        self.options = options
        self.run_dir = Path("/run/dmtui-docker")
        self.socket = f"unix://{self.run_dir}/docker.sock"
        self.daemon: subprocess.Popen[bytes] | None = None
        self.container = ""

    @property
    def graph(self) -> Path:
        return self.root / "devicemapper"

    def start(self) -> None:
        self.run_dir.mkdir(exist_ok=True)
        words = [
            "dockerd", "--containerd", f"{self.run_dir}/containerd.sock", "--data-root", str(self.root),
            "--exec-root", str(self.run_dir / "exec"), "-H", self.socket, "-p", str(self.run_dir / "docker.pid"),
            "--storage-driver", "devicemapper", "--iptables=false", "--ip6tables=false", "--bridge=none",
        ]  # fmt: skip
        for option in self.options:
            words += ["--storage-opt", option]
        with (OUT / "dockerd.log").open("ab") as log:
            self.daemon = subprocess.Popen(words, env=ENVIRONMENT, stdout=log, stderr=log)
        self._wait_for(lambda: self._client("info").returncode == 0, "dockerd")

    def kill(self) -> None:
        """SIGKILL: the pool and its devices stay behind."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()
        self.daemon = None
        (self.run_dir / "docker.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        if self.daemon is not None:
            self.daemon.terminate()
            try:
                self.daemon.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        self.daemon = None

    def client(self, *words: str, stdin: bytes | None = None) -> str:
        done = self._client(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def import_image(self, name: str) -> None:
        """An image with a static busybox."""
        archive = subprocess.run(["tar", "-C", "/bin", "-c", "busybox"], check=True, stdout=subprocess.PIPE).stdout
        self.client("import", "-", name, stdin=archive)

    def storage_block(self) -> str:
        """The lines of ``docker info`` that belong to the storage driver."""
        lines = self.client("info").splitlines()
        start = lines.index(" Storage Driver: devicemapper") + 1
        block = []
        for line in lines[start:]:
            if not line.startswith("  "):
                break
            block.append(line)
        return "".join(f"{line}\n" for line in block)

    def _client(self, *words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["docker", "-H", self.socket, *words], env=ENVIRONMENT, input=stdin, capture_output=True)

    def _wait_for(self, ready, what: str, seconds: int = 120) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if ready():
                return
            assert self.daemon is None or self.daemon.poll() is None, f"{what} died: see dockerd.log"
            time.sleep(0.5)
        raise AssertionError(f"{what} did not answer within {seconds} s")


@contextmanager
def containerd():
    """A containerd for dockerd to use."""
    run_dir = Path("/run/dmtui-docker")
    run_dir.mkdir(exist_ok=True)
    address = f"{run_dir}/containerd.sock"
    words = [
        "containerd", "--root", str(SCRATCH / "containerd"), "--state", str(run_dir / "ctrd"), "--address", address,
    ]  # fmt: skip
    with (OUT / "containerd.log").open("ab") as log:
        daemon = subprocess.Popen(words, env=ENVIRONMENT, stdout=log, stderr=log)
    try:
        for _ in range(240):
            probe = subprocess.run(["ctr", "--address", address, "version"], env=ENVIRONMENT, capture_output=True)
            if probe.returncode == 0:
                break
            time.sleep(0.5)
        else:
            raise AssertionError("containerd did not answer")
        yield address
    finally:
        daemon.terminate()
        daemon.wait(30)
