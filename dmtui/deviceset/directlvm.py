"""The parameters of an automatic direct-lvm setup: those asked for, and those that the setup was made with.

Source: directLVMConfig, validateLVMConfig, readLVMConfig of the original (sections 5.3 and 5.4 of its description).
Mended: what is asked for is compared with what the setup was made with by what it comes to, so that spelling out a
default, or naming the device by another of its names, is no change; a change is told with both values; the file is
written as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from dmtui.deviceset.options import Options
from dmtui.deviceset.store import RecordStore
from dmtui.machine.errors import FileMissingError, MachineError
from dmtui.machine.protocols import Files
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import BadUsageError, DmtuiError
from dmtui.thinpool.values import frozen

_DEVICE_OPTION = "dm.directlvm_device"


@frozen
class DirectLvm:
    """The parameters as they were typed; a percentage that was left out is 0, as in the original's file."""

    device: str
    data_percent: int = 0
    metadata_percent: int = 0
    extend_percent: int = 0
    extend_threshold: int = 0

    def settled(self) -> DirectLvm:
        """With the defaults in place of zeros."""
        return replace(self, **{each.field: getattr(self, each.field) or each.default for each in PERCENTAGES})


@frozen
class Percentage:
    """A percentage by its names: our field, the option, the key on file; and its default."""

    field: str
    option: str
    key: str
    default: int


PERCENTAGES = (
    Percentage("data_percent", "dm.thinp_percent", "ThinpPercent", 95),
    Percentage("metadata_percent", "dm.thinp_metapercent", "ThinpMetaPercent", 1),
    Percentage("extend_percent", "dm.thinp_autoextend_percent", "AutoExtendPercent", 20),
    Percentage("extend_threshold", "dm.thinp_autoextend_threshold", "AutoExtendThreshold", 80),
)
"""In the order of the original's file."""


def asked_for(options: Options) -> DirectLvm | None:
    """The setup that the options ask for; None where they ask for none."""
    device = options.directlvm_device
    if device is None:
        return None
    given = {each.field: int(options.directlvm.get(each.option, "0").removesuffix("%")) for each in PERCENTAGES}
    return DirectLvm(device, **given)


def zero_notices(options: Options) -> Iterator[str]:
    """A notice for each percentage of 0: the original takes it for the default, and so do we."""
    for each in PERCENTAGES:
        text = options.directlvm.get(each.option)
        if text is not None and not int(text.removesuffix("%")):
            yield f"{each.option}={text} stands for its default, {each.default}%"


def setup_path(store: RecordStore) -> str:
    """Where the parameters of the setup are kept."""
    return f"{store.graph.directory}/setup-config.json"


def read_setup(store: RecordStore) -> DirectLvm | None:
    """What the setup was made with; None where none was made (there is no file, or an empty one).

    Raises:
        DmtuiError: the file is broken.
    """
    path = setup_path(store)
    try:
        content = store.durable.read(path)
    except FileMissingError:
        return None
    if not content.strip():
        return None
    try:
        fields = json.loads(content)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise _broken(path)
    fields = cast("dict[str, Any]", fields)
    device, given = fields.get("Device", ""), {each.field: fields.get(each.key, 0) for each in PERCENTAGES}
    if not isinstance(device, str) or not all(type(number) is int for number in given.values()):
        raise _broken(path)
    return DirectLvm(device, **given) if device or any(given.values()) else None


def write_setup(store: RecordStore, made: DirectLvm) -> None:
    """Keep what the setup was made with."""
    fields = {"Device": made.device, **{each.key: getattr(made, each.field) for each in PERCENTAGES}}
    store.durable.write(setup_path(store), json.dumps(fields, separators=(",", ":")).encode())


def check_unchanged(files: Files, made: DirectLvm, asked: DirectLvm) -> None:
    """Compare what is asked for with what the setup was made with.

    Raises:
        BadUsageError: naming the option, the old and the new value.
    """
    if made.device != asked.device:
        before, now = _number(files, made.device), _number(files, asked.device)
        if before is None or before != now:
            raise _changed(_DEVICE_OPTION, made.device, asked.device)
    before, now = made.settled(), asked.settled()
    for each in PERCENTAGES:
        old, new = getattr(before, each.field), getattr(now, each.field)
        if old != new:
            raise _changed(each.option, f"{old}%", f"{new}%")


def _number(files: Files, path: str) -> DeviceNumber | None:
    with suppress(MachineError):
        return files.identify(path).rdev
    return None


def _changed(option: str, old: str, new: str) -> BadUsageError:
    return BadUsageError(
        option,
        f"is {new}, but the pool was set up with {old}",
        f"give {option}={old}: LVM's own tools (vgextend, lvextend, lvchange) change a pool that is there",
    )


def _broken(path: str) -> DmtuiError:
    return DmtuiError(
        path, "is no setup of direct-lvm", "restore it, or give the pool with dm.thinpooldev=docker-thinpool instead"
    )
