"""The child's side: how the dashboard knows that it draws in a browser, and that it ends with its server."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Mapping

WEB_DRIVER = "textual.drivers.web_driver:WebDriver"
"""Textual's driver that speaks textual-serve's protocol over standard input and output."""

_GRACE_SECONDS = 5.0


def is_attached(environment: Mapping[str, str]) -> bool:
    """Whether a server started this process to draw in a browser."""
    return environment.get("TEXTUAL_DRIVER") == WEB_DRIVER


def end_with_server() -> None:
    """From now on, end this process with the one at the other end of its standard input, also when that is killed."""
    thread = threading.Thread(target=_wait_for_hangup, args=(sys.stdin.fileno(),), name="dmtui-server", daemon=True)
    thread.start()


def _wait_for_hangup(descriptor: int) -> None:
    poller = select.poll()
    poller.register(descriptor, 0)  # a hangup is told without being asked for, and nothing is read away from the driver
    poller.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
