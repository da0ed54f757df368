"""Hosts that answer when a test says so, and a dashboard over them."""

from __future__ import annotations

import dataclasses

from dmtui.monitor.poller import PollFailed
from dmtui.remote.reach import Reach
from dmtui.tui.hosts import HostsApp
from tests.tui import samples

SIX = ("web1", "web2", "root@db1.example.org", "db2", "build", "store-in-the-other-building")
DENIED = (
    "does not let us in: root@db1.example.org: Permission denied (publickey); `ssh root@db1.example.org` must work "
    "unasked: load a key (ssh-add), or share an open connection (ssh -M root@db1.example.org)"
)


class Scripted:
    """What the samples of a host come from: a test."""

    def __init__(self, reach, deliver):
        self.reach, self.deliver = reach, deliver
        self.interval_seconds, self.paused, self.waiting_since = 1.0, False, None
        self.asked, self.stopped, self.started = 0, False, False

    def start(self):
        self.started = True

    def wait_for_first(self, seconds):
        pass

    def stop(self):
        self.stopped = True

    def poll_now(self):
        self.asked += 1

    def loses(self, message, at, retry_seconds=8.0):
        self.deliver(PollFailed(at, f"host {self.reach.host}: {message}", at + retry_seconds))


class Hosts:
    """A dashboard over some hosts.

    Attributes:
        app: the dashboard.
        of: each host's source, by its name.
    """

    def __init__(self, *names, clock, **options):
        self.of = {}

        def open_source(reach, deliver):
            self.of[reach.host] = Scripted(reach, deliver)
            return self.of[reach.host]

        reaches = [Reach(name) for name in names]
        self.app = HostsApp(reaches, clock=clock, open_source=open_source, **options)

    def send(self, host, *pools, at=samples.NOW, machine="kernel"):
        """Let a sample of a host come."""
        self.of[host].deliver(samples.sample(*pools, at=at, machine=machine))


async def let_come(hosts, pilot):
    """Let the six hosts be as different as hosts are."""
    await pilot.pause()
    for second in range(3):
        at = samples.NOW + second
        hosts.send("web1", samples.docker_pool(0.61), samples.lvm_pool(), at=at)
        hosts.send("web2", samples.docker_pool(0.97), at=at)
        hosts.send("db2", samples.containerd_pool(), at=at, machine="emulated")
        hosts.send("store-in-the-other-building", samples.lvm_pool(), at=at)
        await pilot.pause()
    hosts.of["root@db1.example.org"].loses(DENIED, samples.NOW, 300)
    hosts.of["store-in-the-other-building"].loses("client_loop: send disconnect: Broken pipe", samples.NOW + 2)


def dmtui_pool(**changes):
    """A pool of dmtui's own on loop files."""
    pool = samples.docker_pool()
    graph = "/srv/graph/devicemapper"
    backing = dataclasses.replace(pool.data_backing, loop_file=f"{graph}/data")
    return dataclasses.replace(pool, owner="dmtui", data_backing=backing, **changes)
