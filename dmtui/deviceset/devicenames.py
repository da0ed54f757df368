"""Names that a device of the set may have: what files, device-mapper and the original can all hold."""

from __future__ import annotations

import re

from dmtui.deviceset.records import BASE_RECORD, SET_RECORD, TRANSACTION_RECORD
from dmtui.thinpool.errors import BadUsageError
from dmtui.thinpool.names import GraphPrefix

_ALLOWED = re.compile(r"[A-Za-z0-9#+:=@_-][A-Za-z0-9#+.:=@_-]*")
_MAX_DEVICE_MAPPER_NAME = 127


def check_new_name(name: str, prefix: GraphPrefix) -> None:
    """Refuse a name that no new device can have.

    Raises:
        BadUsageError: naming what is wrong with it.
    """
    reserved = (BASE_RECORD, SET_RECORD, TRANSACTION_RECORD, "pool")
    if name in reserved or name.endswith(".migrated"):
        raise BadUsageError(f"device name {name!r}", "is reserved", "choose another")
    if not _ALLOWED.fullmatch(name):
        raise BadUsageError(
            f"device name {name!r}", "has signs that device-mapper mangles", "use letters, digits and #+.:=@_-"
        )
    room = _MAX_DEVICE_MAPPER_NAME - len(f"{prefix}-")
    if len(name) > room:
        raise BadUsageError(f"device name {name!r}", f"is too long: device-mapper leaves {room} signs", "shorten it")
