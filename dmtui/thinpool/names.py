"""Names of pools and devices: Docker's form, LVM's form, containerd's form, and who owns a pool by them.

Source: deviceset.go of the original driver (prefix, pool, base), lvm2's name mangling (a hyphen inside a name is
doubled), containerd's snapshotter (``POOL-snap-N``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import MalformedError
from dmtui.thinpool.values import frozen

UUID_PREFIX = "DMTUI-"
_LVM_UUID_PREFIX = "LVM-"
_DOCKER_POOL = re.compile(r"(docker|container)-(\d+):(\d+)-(\d+)-pool")
_HELPERS = ("-tpool", "_tdata", "_tmeta")

_DOCKER_DEVICE = re.compile(r"docker-\d+:\d+-\d+-")


class Owner(Enum):
    """Who made a pool, as far as its names and uuid tell."""

    DMTUI = "dmtui"
    DOCKER = "docker"
    CONTAINERD = "containerd"
    LVM = "lvm"
    UNKNOWN = "unknown"


@frozen
class GraphPrefix:
    """The prefix of a graph directory's devices: ``docker-MAJ:MIN-INODE`` of the directory."""

    directory_dev: DeviceNumber
    directory_inode: int

    def __str__(self) -> str:
        return f"docker-{self.directory_dev}-{self.directory_inode}"

    @property
    def pool_name(self) -> str:
        """Name of the pool that the graph directory's own files make."""
        return f"{self}-pool"

    def device_name(self, hash_name: str) -> str:
        """Name of a device; the empty hash is the base device."""
        return f"{self}-{hash_name or 'base'}"


def owner_of(name: str, uuid: str, device_names: Iterable[str]) -> Owner:
    """Who made the pool called `name`, from its uuid, its name and the names of its thin devices."""
    if uuid.startswith(_LVM_UUID_PREFIX):
        return Owner.LVM
    if uuid.startswith(UUID_PREFIX):
        return Owner.DMTUI
    if _DOCKER_POOL.fullmatch(name):
        return Owner.DOCKER
    snapshot = re.compile(re.escape(name) + r"-snap-\d+")
    devices = list(device_names)
    if any(snapshot.fullmatch(device) for device in devices):
        return Owner.CONTAINERD
    # An external pool that Docker fills: its devices carry Docker's prefix.
    if any(_DOCKER_DEVICE.match(device) for device in devices):
        return Owner.DOCKER
    return Owner.UNKNOWN


def split_lvm_name(name: str) -> tuple[str, str]:
    """Volume group and logical volume of an LVM device-mapper name (``vg--a-thin--b`` is ``vg-a``, ``thin-b``).

    Raises:
        MalformedError: no single hyphen parts the name.
    """
    # "--" is a hyphen inside a name, the first lone "-" is the border.
    match = re.fullmatch(r"((?:[^-]|--)+)-((?:[^-]|--)+)", name)
    if match is None:
        raise MalformedError(f"LVM name {name!r}", "has no single hyphen between volume group and volume")
    return match[1].replace("--", "-"), match[2].replace("--", "-")


def lvm_display_name(name: str) -> str:
    """An LVM device as its user knows it, ``vg/lv``: helper suffixes (``-tpool``) are dropped."""
    for helper in _HELPERS:
        name = name.removesuffix(helper)
    try:
        return "/".join(split_lvm_name(name))
    except MalformedError:
        return name
