"""The emulated machine: a faithful dm-thin in user space, one machine in one directory.

The floors of this package, from the ground up: `node`, `btree`, `btree_remove`, `spacemap`, `metadata` and `mapping`
are the pure model (nothing but blocks); `unread`, `underneath`, `pool`, `pool_io`, `messages` and `tables` are the
kernel's rules over it; `schema`, `store`, `clock`, `kernellog`, `unsynced`, `stored`, `poolstate`, `host`, `loop`,
`devices`, `disks`, `loading` and `livepools` keep it all in one SQLite file; `layouts`, `ranges`, `mountoptions`,
`mounted` and `filesystem_rules` are what file systems write, keep and refuse; `outages` and `waiting` are what fails
until it is mended; `mapper`, `files`, `filesystems`, `thin_tools`, `programs`, `reads`, `faults`, `holders`, `leaks`,
`processes` and `machine` are what callers see.

What a user can see of it is compared with the kernel's, operation by operation, in ``tests/machine/differential``.

Simplified on purpose, where the kernel has time or content:
    - a pool commits by the machine's clock when something is done a second after the last such commit or later, or at
      the first look after that; the kernel's comes up to a second later where nothing is done meanwhile. A write of
      more than 4 GiB (65536 blocks), or that changes more than 4096 nodes, takes no time, and has commits in its middle
      all the same. The event of low metadata is sent by the commit, the kernel's by the allocation before it;
    - what a power cut leaves of a pool's data device is what was written, also where its mapping is lost; the host's
      own file system loses nothing of its own;
    - a node with one reference stays in its block, the kernel moves it at each commit: counts are the same, the number
      shown for a held metadata snapshot is not;
    - writes, discards and flushes of `IoQueue` wait as in the kernel; mkfs, mounts, reads and the like never do: what
      would wait is given up with an error, as if they had been killed;
    - metadata that need a check do so also where their disk could not note it;
    - of several writes that waited in one device, the first is the one that it is on a kernel with one processor; with
      more, their timing decides;
    - what a pool has in memory of its metadata is told by the tree, not by the block, and is never dropped: seen only
      where the metadata's disk is broken;
    - a device that hangs and udev that lags take real time, whatever the machine's clock does; a node whose udev lags
      is there meanwhile;
    - a file system is the blocks that mkfs maps (as many as the real ones) and the names at its top; a change inside
      is written at once, and files of its users are the blocks that somebody wrote to the device: so a trim gives back
      only what was mapped before the file system was made. Mounts are those of the host's mount namespace; of the
      others it is known which processes hold a device by theirs;
    - nothing is drawn, so no seed is needed to repeat a run (with a clock that stands still, to the byte): uuids are
      counted, the first of every machine is the same;
    - metadata never rot: thin_check finds fault only with a failed pool's and with what holds none;
    - no content is stored, so external origins, zeroing and copies cost nothing; what is on a data device is not known.
"""

from dmtui.machine.emulated.machine import EmulatedMachine

__all__ = ["EmulatedMachine"]
