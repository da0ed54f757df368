"""What a browser gets instead of a dashboard where only the door and the socket are tested: it tells what it hears.

python standin.py [deaf|failing|flooding|stuck|drawing FILE]
"""

import json
import os
import select
import sys
import time
from pathlib import Path


def write(kind, payload):
    os.write(1, kind + len(payload).to_bytes(4, "big") + payload)


def read_packet():
    head = sys.stdin.buffer.read(5)
    return (head[:1], sys.stdin.buffer.read(int.from_bytes(head[1:], "big"))) if len(head) == 5 else (b"", b"")


def draw_without_a_pause(farewell):
    """As a dashboard whose screen changes all over: it hears that it shall quit between two pictures, and draws on."""
    while not select.select([0], [], [], 0)[0]:
        write(b"D", b"x" * 50_000)
    for _ in range(50):
        write(b"D", b"x" * 50_000)
    Path(farewell).touch()


def main(manner, *rest):
    if manner == "failing":
        sys.stderr.write("dmtui: device-mapper: \x1b[2J refuses; be root\n")
        sys.exit(4)
    os.write(1, b"__GANGLION__\n")
    write(b"D", f"started {os.getpid()} {os.environ['COLUMNS']}x{os.environ['ROWS']}".encode())
    while manner == "stuck":
        time.sleep(60)
    while manner == "flooding":
        write(b"D", b"x" * 50_000)
    if manner == "drawing":
        draw_without_a_pause(*rest)
        return
    while True:
        kind, payload = read_packet()
        if not kind or (kind == b"M" and json.loads(payload)["type"] == "quit" and manner != "deaf"):
            break
        write(b"D", b"heard " + kind + payload)
        if payload == b"q":
            write(b"M", b'{"type": "exit"}')
            break


if __name__ == "__main__":
    main(*sys.argv[1:] or [""])
