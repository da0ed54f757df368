"""One ssh under way: what it brings, line by line, and its certain end."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO

from dmtui.remote.errors import RemoteError
from dmtui.remote.reader import LONGEST_LINE_BYTES, LineSplitter
from dmtui.remote.wake import Wake

_AT_ONCE_BYTES = 1 << 16
_KEPT_WORDS_BYTES = 4096
_PARTING_SECONDS = 1.0
"""How long an ssh that brings nothing more may take to end by itself, and so to say how."""
_GRACE_SECONDS = 0.3
"""How long one that is told to end may take."""


class Connection:
    """Starts ssh; the thread that made it reads it, and ends it with `end`.

    Args:
        host: whose name errors have.
        arguments: of ssh, its own name among them.
        wake: interrupts the reading.
        longest_bytes: of a line that is taken.

    Raises:
        RemoteError: ssh cannot be started.
    """

    def __init__(
        self, host: str, arguments: Sequence[str], wake: Wake, longest_bytes: int = LONGEST_LINE_BYTES
    ) -> None:
        self._wake, self._splitter = wake, LineSplitter(host, longest_bytes)
        self._said = b""
        try:
            self._process = subprocess.Popen(
                [*arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # In English, if the machine there takes that from us; and no window is opened for a password.
                env={**os.environ, "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"},
                cwd="/",
                start_new_session=True,  # ctrl+c is ours, and without a terminal nothing can be asked on it
            )
        except FileNotFoundError:
            raise RemoteError(host, f"there is no {arguments[0]} in PATH", "install OpenSSH", lasting=True) from None
        except OSError as error:
            raise RemoteError(host, f"{arguments[0]} cannot be started: {error.strerror}") from None

    @property
    def pid(self) -> int:
        """Of ssh, and of its process group."""
        return self._process.pid

    @property
    def said(self) -> str:
        """The last of what came on standard error."""
        return self._said.decode("utf-8", "replace")

    def lines(self) -> Iterator[bytes | None]:
        """The lines that come; None whenever the thread was woken. Ends when nothing more can come.

        Raises:
            RemoteError: a line is longer than any that is taken.
        """
        stdout, stderr = self._pipes
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            selector.register(stdout, selectors.EVENT_READ)
            selector.register(stderr, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wake in ready:
                    self._wake.hear()
                    yield None
                if stdout in ready:
                    content = os.read(stdout.fileno(), _AT_ONCE_BYTES)
                    if not content:
                        return
                    self._said = b""  # whatever it was, samples came after it
                    yield from self._splitter.lines_of(content)
                if stderr in ready and not self._listen(stderr):
                    selector.unregister(stderr)

    def end(self) -> int | None:
        """End ssh and all that it started, and wait for it.

        Returns the status with which it ended by itself; None where it had to be told to.
        """
        status = self._process.poll()
        if status is None:
            self._end_group()
        for pipe in self._pipes:
            pipe.close()
        return status

    def ended(self) -> int | None:
        """The status of an ssh that brings nothing more; one that does not end by itself is ended: None."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PARTING_SECONDS)
        stderr = self._pipes[1]
        os.set_blocking(stderr.fileno(), False)  # a shared connection in the background may keep it open
        with suppress(BlockingIOError):
            while self._listen(stderr):
                pass
        return self.end()

    @property
    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        stdout, stderr = self._process.stdout, self._process.stderr
        if stdout is None or stderr is None:
            raise AssertionError("they were asked for")
        return stdout, stderr

    def _listen(self, stderr: IO[bytes]) -> bool:
        content = os.read(stderr.fileno(), _AT_ONCE_BYTES)
        self._said = (self._said + content)[-_KEPT_WORDS_BYTES:]
        return bool(content)

    def _end_group(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_SECONDS)
                return
        # Held in the kernel it outlives its killing for a while; nobody else waits for that.
        threading.Thread(target=self._process.wait, name=f"reaper of {self._process.pid}", daemon=True).start()
