"""Snapshots share their blocks with their parent, until one of the two writes."""

from __future__ import annotations

from dmtui.lab.reading import size
from dmtui.lab.scenario import Place, Scenario, Step
from dmtui.lab.stage import Stage

_MIB = 1024**2
_IMAGE_AT = 64 * _MIB
_IMAGE = 300 * _MIB
_CHANGED = 40 * _MIB
_ADDED = 60 * _MIB


def _create_image(stage: Stage) -> None:
    stage.create("image")
    stage.write("image", _IMAGE_AT, _IMAGE, parts=6)


def _image_told(stage: Stage) -> str:
    now = stage.now
    return (
        f"The image maps {size(now.mapped['image'])}, and the pool's data grew from {size(stage.before.used_bytes)} to "
        f"{size(now.used_bytes)}: what is new belongs to the image alone."
    )


def _snapshot(stage: Stage) -> None:
    stage.create("web", "image")


def _snapshot_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"The container maps {size(now.mapped['web'])} from its first moment, as its parent does, and the pool uses "
        f"{now.used_blocks - before.used_blocks} data blocks more. All of them are shared."
    )


def _overwrite(stage: Stage) -> None:
    stage.write("web", _IMAGE_AT, _CHANGED, parts=5)


def _overwrite_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"Each shared block that is written gets a new place: the pool took {now.used_blocks - before.used_blocks} "
        f"blocks, {size(now.used_bytes - before.used_bytes)}. The container still maps {size(now.mapped['web'])}, "
        f"and the image kept every byte of its {size(now.mapped['image'])}."
    )


def _overwrite_again(stage: Stage) -> None:
    stage.write("web", _IMAGE_AT, _CHANGED, parts=3)


def _overwrite_again_told(stage: Stage) -> str:
    taken = stage.now.used_blocks - stage.before.used_blocks
    return f"The pool took {taken} blocks: what has a place of its own is written there."


def _add(stage: Stage) -> None:
    stage.write("web", _IMAGE_AT + _IMAGE, _ADDED, parts=4)


def _add_told(stage: Stage) -> str:
    before, now = stage.before, stage.now
    return (
        f"Now its mapped size grows, too: from {size(before.mapped['web'])} to {size(now.mapped['web'])}. Nothing was "
        f"copied, the pool took {now.used_blocks - before.used_blocks} blocks."
    )


def _more(stage: Stage) -> None:
    for name in ("worker", "cron", "proxy"):
        stage.create(name, "image")


def _more_told(stage: Stage) -> str:
    now = stage.now
    total = sum(now.mapped.values())
    return (
        f"The {len(now.mapped)} active devices map {size(total)} in all, on {size(now.used_bytes)} of data. The sum of "
        "the devices says nothing about the pool: only the pool's own figure does."
    )


SCENARIO = Scenario(
    "snapshots",
    "Snapshots share blocks and break sharing",
    "A snapshot costs nothing when it is made; it costs one block for each block that is written afterwards.",
    ("dm.loopdatasize=4G", "dm.loopmetadatasize=8M", "dm.basesize=2G", "dm.fs=xfs"),
    Stage.start,
    (
        Step(
            "An image",
            "An image is a snapshot of the base device, with files written on top. Watch the data gauge rise.",
            _create_image,
            _image_told,
            Place.OVERVIEW,
            "image",
            ("dmsetup status {prefix}-image",),
        ),
        Step(
            "A snapshot of it",
            "A container starts as a snapshot of its image: the pool copies the root of one tree, and no data.",
            _snapshot,
            _snapshot_told,
            Place.DEVICES,
            "web",
            ("dmsetup status {prefix}-web",),
        ),
        Step(
            "Writing breaks sharing",
            "The container overwrites a part of what it has from its image.",
            _overwrite,
            _overwrite_told,
            Place.POOL,
            "web",
            ("dmsetup status {pool}",),
        ),
        Step(
            "Writing again does not",
            "The same part is written once more.",
            _overwrite_again,
            _overwrite_again_told,
            Place.POOL,
            "web",
            ("dmsetup status {pool}",),
        ),
        Step(
            "Writing something new",
            "Now the container writes where neither it nor its image had anything.",
            _add,
            _add_told,
            Place.DEVICE,
            "web",
            ("dmsetup status {prefix}-web",),
        ),
        Step(
            "Three more containers",
            "More containers of the same image are made. Look at the tree of devices, and at what the pool uses.",
            _more,
            _more_told,
            Place.DEVICES,
            "proxy",
            ("dmsetup status --target thin", "dmsetup status {pool}"),
        ),
    ),
    (
        "A snapshot is made in constant time and takes no data block.",
        "MAPPED counts shared blocks for every device that has them: the sum may be many times what the pool uses.",
        "The first write to a shared block copies all of it, even for one byte (unless it is overwritten as a whole).",
    ),
    (
        "dmsetup message POOL 0 'create_snap NEW_ID ORIGIN_ID'    (the origin suspended meanwhile)",
        "dmsetup status POOL; dmsetup status --target thin",
        "lvs -o name,pool_lv,origin,data_percent VG",
        "dmtui device create NAME --parent PARENT",
    ),
)
