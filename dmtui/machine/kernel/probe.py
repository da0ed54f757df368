"""Whether this system has a device-mapper for us, found out without changing anything.

libdevmapper is not asked: as root it makes a dead control node where there is no device-mapper.
"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path

from dmtui.machine.errors import MachineError, MachineNotPermittedError
from dmtui.machine.kernel.ioctl import CONTROL, LOAD_THE_MODULE, Control
from dmtui.thinpool.values import frozen


class Presence(Enum):
    """What there is of device-mapper."""

    PRESENT = "present"
    ABSENT = "absent"
    NOT_PERMITTED = "not permitted"


@frozen
class Found:
    """What was found.

    Attributes:
        presence: the answer.
        reason: in words why; empty when it is present.
        remedy: what would change it; empty where nothing would.
    """

    presence: Presence
    reason: str = ""
    remedy: str = ""


def probe(control: str = CONTROL, misc: str = "/proc/misc", platform: str = sys.platform) -> Found:
    """Find out whether device-mapper is there and answers us.

    Opening the node makes the kernel load its own module where it is installed, as every user of it does.
    """
    if not platform.startswith("linux"):
        return Found(Presence.ABSENT, f"{platform} has no device-mapper")
    try:
        opened = Control(control)
    except MachineError as error:
        return _without_node(control, error, misc)
    try:
        opened.version()
    except MachineNotPermittedError as error:
        return Found(Presence.NOT_PERMITTED, f"{control} {error.happened}", "run as root of the host")
    except MachineError as error:
        return Found(Presence.ABSENT, f"{control} does not answer: {error.happened}", LOAD_THE_MODULE)
    finally:
        opened.close()
    return Found(Presence.PRESENT)


def _without_node(control: str, error: MachineError, misc: str) -> Found:
    if isinstance(error, MachineNotPermittedError):
        return Found(Presence.NOT_PERMITTED, f"{control} is for root only", "run as root")
    if _is_running(misc):
        reason = f"this kernel has device-mapper, but {control} {error.happened} (a container?)"
        return Found(Presence.NOT_PERMITTED, reason, "run on the host, or give the container the node")
    return Found(Presence.ABSENT, f"no device-mapper here: {control} {error.happened}", LOAD_THE_MODULE)


def _is_running(misc: str) -> bool:
    """Whether the kernel's list of misc devices has device-mapper in it."""
    try:
        return "device-mapper" in Path(misc).read_text()
    except OSError:
        return False
