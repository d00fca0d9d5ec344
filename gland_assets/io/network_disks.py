"""Which paths lie on a network file system: SQLite's write-ahead log needs memory that all writers share, and so one machine."""

from __future__ import annotations

from pathlib import Path

NETWORK = frozenset("nfs nfs4 cifs smb smbfs smb2 smb3 afpfs webdav davfs 9p ncpfs afs ceph lustre gpfs glusterfs beegfs orangefs".split())
REMOTE_FUSE = ("sshfs", "glusterfs", "s3fs", "gcsfuse", "rclone", "davfs", "ceph")


def network_disk(path: Path) -> str | None:
    """The kind of network file system that `path`, there or yet to be made, lies on; None for a disk of this machine, or one not known."""
    import psutil  # here: few commands ask

    kinds = {Path(disk.mountpoint): str(disk.fstype).lower() for disk in psutil.disk_partitions(all=True)}
    real = path.resolve()
    kind = next((kinds[place] for place in (real, *real.parents) if place in kinds), "")
    remote = kind in NETWORK or (kind.startswith("fuse.") and kind.removeprefix("fuse.").startswith(REMOTE_FUSE))
    return kind if remote else None
