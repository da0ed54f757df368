"""Options of a mount: which there are, and in which words the kernel prints them back."""

from __future__ import annotations

from collections.abc import Sequence

from dmtui.machine.mountwords import SETS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FLAGS = frozenset(SETS) | _words("context fscontext defcontext rootcontext")
_OWN = {
    "xfs": _words(
        "allocsize attr2 noattr2 bsdgroups grpid nogrpid sysvgroups dax discard nodiscard filestreams ikeep noikeep"
        " inode32 inode64 largeio nolargeio logbufs logbsize logdev rtdev noalign norecovery nouuid noquota quota"
        " usrquota uquota uqnoenforce qnoenforce gquota grpquota gqnoenforce pquota prjquota pqnoenforce sunit swidth"
        " swalloc wsync"
    ),
    "ext4": _words(
        "abort acl noacl auto_da_alloc noauto_da_alloc barrier nobarrier bh nobh block_validity noblock_validity"
        " bsddf minixdf bsdgroups grpid nogrpid sysvgroups commit data data_err dax debug delalloc nodelalloc"
        " dioread_lock dioread_nolock discard nodiscard errors grpquota usrquota prjquota quota noquota i_version"
        " init_itable noinit_itable inode_readahead_blks journal_async_commit journal_checksum nojournal_checksum"
        " journal_dev journal_ioprio journal_path max_batch_time min_batch_time max_dir_size_kb noload norecovery"
        " nouid32 oldalloc orlov resgid resuid sb stripe user_xattr nouser_xattr"
    ),
}
_DEFAULTS = {"xfs": ("attr2", "inode64", "logbufs=8", "logbsize=32k", "noquota"), "ext4": ()}
_PRINTED_FLAGS = ("nosuid", "nodev", "noexec", "noatime", "nodiratime")


def unknown(kind: str, options: Sequence[str]) -> str | None:
    """The first option that a file system of the kind does not know, None where it knows all."""
    known = _FLAGS | _OWN[kind]
    return next((option for option in options if option.partition("=")[0] not in known), None)


def printed(kind: str, options: Sequence[str]) -> tuple[str, ...]:
    """The options as the kernel prints them: access, flags, how access times are kept, then the file system's own."""
    words = ["ro" if "ro" in options else "rw"]
    words += [flag for flag in _PRINTED_FLAGS if flag in options]
    if not {"noatime", "strictatime"} & set(options):
        words.append("relatime")
    own = [option for option in options if option.partition("=")[0] in _OWN[kind]]
    names = {option.partition("=")[0] for option in own}
    if {"inode32", "quota", "usrquota", "uquota"} & names:
        names |= {"inode64", "noquota"}
    return (*words, *own, *(word for word in _DEFAULTS[kind] if word.partition("=")[0] not in names))
