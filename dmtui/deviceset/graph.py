"""The graph directory: where the original keeps its files, and what it calls its devices by it.

Source: deviceset.go (loop directory, metadata directory, prefix from the directory's device and inode).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath

from dmtui.machine.errors import FileMissingError
from dmtui.machine.protocols import Files
from dmtui.thinpool.errors import BadUsageError, MissingError
from dmtui.thinpool.names import GraphPrefix
from dmtui.thinpool.values import frozen


@frozen
class Graph:
    """A graph directory that exists."""

    directory: str
    prefix: GraphPrefix

    @property
    def data_file(self) -> str:
        """The sparse file behind the data device."""
        return f"{self.directory}/devicemapper/data"

    @property
    def metadata_file(self) -> str:
        """The sparse file behind the metadata device."""
        return f"{self.directory}/devicemapper/metadata"

    @property
    def records_directory(self) -> str:
        """Where the records of the devices are."""
        return f"{self.directory}/metadata"


def open_graph(files: Files, directory: str) -> Graph:
    """Look at a graph directory; nothing is created.

    Raises:
        MissingError: there is no such directory, so no pool of it either.
        BadUsageError: it is something else than a directory.
    """
    try:
        identity = files.identify(directory)
    except FileMissingError:
        raise MissingError(
            f"graph directory {directory}",
            "does not exist, so it has no pool",
            "`dmtui pool create` makes both, or give the right one with --graph",
        ) from None
    if not identity.is_directory:
        raise BadUsageError(f"graph directory {directory}", "is not a directory", "give the right one with --graph")
    return Graph(directory.rstrip("/") or "/", GraphPrefix(identity.dev, identity.inode))


def planned_graph(files: Files, directory: str) -> Graph:
    """A graph directory for a plan: as it is, or as it would be made, with inode 0 in its names.

    Raises:
        BadUsageError: it is something else than a directory.
    """
    try:
        return open_graph(files, directory)
    except MissingError:
        for parent in PurePosixPath(directory).parents:
            with suppress(FileMissingError):
                return Graph(directory.rstrip("/"), GraphPrefix(files.identify(str(parent)).dev, 0))
        raise
