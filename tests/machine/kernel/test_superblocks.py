"""File systems told by their superblocks, from images and from garbage."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmtui.machine.filesystems import FilesystemFound
from dmtui.machine.kernel.superblocks import read_superblock

UUID = bytes(range(0xA0, 0xB0))
TEXT = "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf"


def probe(image: bytes) -> FilesystemFound | None:
    file = os.memfd_create("image")
    try:
        os.write(file, image)
        return read_superblock(file)
    finally:
        os.close(file)


def image(magic, magic_at, uuid_at, size=1 << 17) -> bytes:
    content = bytearray(size)
    content[magic_at : magic_at + len(magic)] = magic
    content[uuid_at : uuid_at + 16] = UUID
    return bytes(content)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("xfs", image(b"XFSB", 0, 32)),
        ("ext4", image(b"\x53\xef", 0x438, 0x468)),
        ("btrfs", image(b"_BHRfS_M", 0x10040, 0x10020)),
    ],
)
def test_a_file_system_is_told_with_its_uuid(kind, content):
    assert probe(content) == FilesystemFound(kind, TEXT)


@pytest.mark.parametrize(
    "content",
    [b"", b"XFS", b"XFSB", b"XFSB" + bytes(43), bytes(1 << 17), image(b"\x53\xef", 0x438, 0x468, 0x477)[:0x477]],
    ids=["nothing", "half a magic", "magic alone", "half a uuid", "zeros", "ends in the uuid"],
)
def test_what_is_none_or_ends_too_soon_is_nothing(content):
    assert probe(content) is None


@given(st.binary(max_size=2048))
def test_garbage_is_never_an_error(content):
    found = probe(content)
    assert found is None or found.kind in ("xfs", "ext4", "btrfs")
