"""The words of mount options, as mount(8) has them: which flag each sets or clears, which are not for the kernel."""

from __future__ import annotations

import re
from collections.abc import Sequence

SETS = {
    "ro": 1,
    "nosuid": 2,
    "nodev": 4,
    "noexec": 8,
    "sync": 16,
    "mand": 64,
    "dirsync": 128,
    "noatime": 1 << 10,
    "nodiratime": 1 << 11,
    "silent": 1 << 15,
    "relatime": 1 << 21,
    "iversion": 1 << 23,
    "strictatime": 1 << 24,
    "lazytime": 1 << 25,
}
"""The words that set a flag of mount(2)."""
CLEARS = {
    "rw": "ro",
    "suid": "nosuid",
    "dev": "nodev",
    "exec": "noexec",
    "async": "sync",
    "nomand": "mand",
    "atime": "noatime",
    "diratime": "nodiratime",
    "loud": "silent",
    "norelatime": "relatime",
    "noiversion": "iversion",
    "nostrictatime": "strictatime",
    "nolazytime": "lazytime",
}
"""The words that undo another."""
_OF_THE_PROGRAM = frozenset({"defaults", "auto", "noauto", "nofail", "_netdev"})


def split_words(options: Sequence[str]) -> tuple[str, ...]:
    """The words of options with or without commas; a later word undoes an earlier one, those for mount(8) alone go.

    A comma between quotes parts nothing: ``context="system_u:object_r:container_file_t:s0:c1,c2"``.
    """
    words: list[str] = []
    for word in re.findall(r'(?:[^,"]|"[^"]*"?)+', ",".join(options)):
        if word in CLEARS:
            words = [kept for kept in words if kept != CLEARS[word]]
        elif word not in _OF_THE_PROGRAM and not word.startswith("x-"):
            words.append(word)
    return tuple(words)
