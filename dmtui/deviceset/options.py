"""Storage options in the original's syntax: ``dm.KEY=VALUE``, repeatable.

Source: the original driver's option parsing (split at the first ``=``, both sides trimmed, the key lower-cased,
an unknown key is an error).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field, replace
from typing import Any

from dmtui.thinpool.errors import BadUsageError
from dmtui.thinpool.sizes import parse_size
from dmtui.thinpool.units import MAX_BLOCK_SECTORS, MIN_BLOCK_SECTORS, SECTOR_BYTES
from dmtui.thinpool.values import frozen

DIRECT_LVM_POOL = "docker-thinpool"
"""Device-mapper's name of the pool that direct-lvm makes: fixed, so there is one on a machine."""
_MOST_RETRIES = 2**31 - 1
"""The kernel keeps the limit in a signed number of 32 bits."""
_NODES = "/dev/mapper/"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@frozen
class Options:
    """Every storage option with its default; None where the default depends on the machine or on another option.

    Sizes are bytes; percentages are whole numbers. The sizes of the loop files have a default where a file has to be
    made; one that is there keeps its size unless a larger one is given. (The original grows it to the default, too.)
    """

    base_size_bytes: int | None = None
    loop_data_size_bytes: int | None = None
    loop_metadata_size_bytes: int | None = None
    filesystem: str | None = None
    mkfs_args: tuple[str, ...] = ()
    mount_options: tuple[str, ...] = ()
    data_device: str | None = None
    metadata_device: str | None = None
    thin_pool_device: str | None = None
    block_size_bytes: int = 64 * 1024
    discard_on_delete: bool | None = None
    override_udev_sync_check: bool = False
    deferred_removal: bool | None = None
    deferred_deletion: bool | None = None
    min_free_percent: int = 10
    xfs_nospace_max_retries: int | None = None
    libdm_log_level: int = 2
    directlvm: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def directlvm_device(self) -> str | None:
        """The device to build a pool on with LVM's tools; None where that is not asked for."""
        return self.directlvm.get("dm.directlvm_device")

    @property
    def directlvm_forced(self) -> bool:
        """Whether that device may carry something that is lost then."""
        return self.directlvm.get("dm.directlvm_device_force") in _TRUE

    @property
    def external_pool_name(self) -> str | None:
        """Name of a pool that is not made of our tables: that of ``dm.thinpooldev`` without its path, or LVM's."""
        if self.directlvm_device is not None:
            return DIRECT_LVM_POOL
        return self.thin_pool_device and self.thin_pool_device.removeprefix(_NODES)


def parse_options(texts: Iterable[str]) -> Options:
    """Read ``dm.KEY=VALUE`` texts; a later one overrides, lists collect.

    Raises:
        BadUsageError: naming the key, the value and what is accepted.
    """
    options = Options()
    for text in texts:
        key, equals, value = text.partition("=")
        key, value = key.strip().lower(), value.strip()
        if not equals:
            raise BadUsageError(f"storage option {text!r}", "has no value", "write dm.KEY=VALUE")
        if key in _DIRECTLVM:
            if not _DIRECTLVM[key](value):
                raise BadUsageError(f"storage option {key}", f"does not take {value!r}", f"it takes {_ACCEPTED[key]}")
            options = replace(options, directlvm={**options.directlvm, key: value})
            continue
        rule = _RULES.get(key)
        if rule is None:
            known = ", ".join(sorted([*_RULES, *_DIRECTLVM]))
            raise BadUsageError(f"storage option {key!r}", "is unknown", f"known are {known}")
        name, read = rule
        try:
            given = read(value)
        except (ValueError, BadUsageError) as error:
            accepted = error.args[0] if isinstance(error, ValueError) else "a size such as 10G, less than 8192P"
            raise BadUsageError(f"storage option {key}", f"does not take {value!r}", f"it takes {accepted}") from None
        earlier = getattr(options, name)
        changes: dict[str, Any] = {name: (*earlier, given) if isinstance(earlier, tuple) else given}
        options = replace(options, **changes)
    return options


def _boolean(value: str) -> bool:
    if value not in _TRUE | _FALSE:
        raise ValueError("true or false")
    return value in _TRUE


def _filesystem(value: str) -> str:
    if value not in ("ext4", "xfs"):
        raise ValueError("ext4 or xfs")
    return value


def _block_size(value: str) -> int:
    size_bytes = parse_size(value)
    smallest, largest = MIN_BLOCK_SECTORS * SECTOR_BYTES, MAX_BLOCK_SECTORS * SECTOR_BYTES
    if not smallest <= size_bytes <= largest or size_bytes % smallest:
        raise ValueError("a multiple of 64K from 64K to 1G")
    return size_bytes


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most


def _percent(value: str) -> int:
    number = value.removesuffix("%")
    if number == value or not _is_number(number, 99):
        raise ValueError("a percentage from 0% to 99%, with its sign")
    return int(number)


def _retries(value: str) -> int:
    if not _is_number(value, _MOST_RETRIES):
        raise ValueError(f"a whole number from 0 to {_MOST_RETRIES}")
    return int(value)


def _log_level(value: str) -> int:
    if value not in tuple("234567"):
        raise ValueError("a level from 2 (fatal) to 7 (debug)")
    return int(value)


def _text(value: str) -> str:
    if not value:
        raise ValueError("a text that is not empty")
    return value


def _pool_name(value: str) -> str:
    name = value.removeprefix(_NODES)
    if not name or "/" in name:
        raise ValueError(f"device-mapper's name of a pool, VG-LV say, or its path {_NODES}VG-LV")
    return value


_RULES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "dm.basesize": ("base_size_bytes", parse_size),
    "dm.loopdatasize": ("loop_data_size_bytes", parse_size),
    "dm.loopmetadatasize": ("loop_metadata_size_bytes", parse_size),
    "dm.fs": ("filesystem", _filesystem),
    "dm.mkfsarg": ("mkfs_args", _text),
    "dm.mountopt": ("mount_options", _text),
    "dm.datadev": ("data_device", _text),
    "dm.metadatadev": ("metadata_device", _text),
    "dm.thinpooldev": ("thin_pool_device", _pool_name),
    "dm.blocksize": ("block_size_bytes", _block_size),
    "dm.blkdiscard": ("discard_on_delete", _boolean),
    "dm.override_udev_sync_check": ("override_udev_sync_check", _boolean),
    "dm.use_deferred_removal": ("deferred_removal", _boolean),
    "dm.use_deferred_deletion": ("deferred_deletion", _boolean),
    "dm.min_free_space": ("min_free_percent", _percent),
    "dm.xfs_nospace_max_retries": ("xfs_nospace_max_retries", _retries),
    "dm.libdm_log_level": ("libdm_log_level", _log_level),
}


def _is_percentage(highest: int) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        return _is_number(value.removesuffix("%"), highest)

    return check


_DIRECTLVM: dict[str, Callable[[str], bool]] = {
    "dm.directlvm_device": bool,
    "dm.directlvm_device_force": lambda value: value in _TRUE | _FALSE,
    "dm.thinp_percent": _is_percentage(99),
    "dm.thinp_metapercent": _is_percentage(99),
    "dm.thinp_autoextend_threshold": _is_percentage(100),
    "dm.thinp_autoextend_percent": _is_percentage(100),
}
_ACCEPTED = {
    "dm.directlvm_device": "a block device",
    "dm.directlvm_device_force": "true or false",
    "dm.thinp_percent": "a percentage from 0 to 99",
    "dm.thinp_metapercent": "a percentage from 0 to 99",
    "dm.thinp_autoextend_threshold": "a percentage from 0 to 100",
    "dm.thinp_autoextend_percent": "a percentage from 0 to 100",
}
