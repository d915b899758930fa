#!/usr/bin/env python3
"""A full disk: claims get 503 with Retry-After, nothing that was acknowledged is lost, and it goes on when there is room again."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from server import Server, run, wait_for

MOUNT_BYTES = 8 << 20


@contextlib.contextmanager
def small_disk():
    with tempfile.TemporaryDirectory(prefix="firstcome-disk-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MOUNT_BYTES}", "tmpfs", folder], check=True)
        try:
            yield pathlib.Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Takes all the room that is left, to the last byte."""
    ballast = os.open(folder / "ballast", os.O_CREAT | os.O_WRONLY)
    for size in (1 << 16, 4096, 1):
        with contextlib.suppress(OSError):
            while os.write(ballast, b"x" * size):
                pass
    os.close(ballast)
    return folder / "ballast"


def main():
    if os.geteuid() != 0:
        print("disk_full: needs root, to mount a small tmpfs")
        return 1
    with small_disk() as folder, Server(folder=folder) as server:
        server.create("full", 100000, issue_rate=0)
        won = {}

        def claim(user):
            answer = server.claim("full", user)
            if answer.status in (200, 201):
                won.setdefault(user, answer.body)
                assert won[user] == answer.body, f"{user} was told two things: {won[user]} and {answer.body}"
            return answer

        for number in range(50):
            assert claim(f"before{number}").status == 201
        ballast = fill(folder)

        # What room SQLite holds already may take some claims more; then 503.
        refused, number = None, 0
        while refused is None:
            answer = claim(f"during{number}")
            number += 1
            refused = answer if answer.status == 503 else None
            assert number < 100000, "a full disk was never noticed"
            assert answer.status in (201, 503), answer
        assert refused.header("Content-Type") == "application/problem+json", refused
        assert int(refused.header("Retry-After")) > 0, refused
        print(f"disk_full: {number - 1} claims won after the disk was full, then 503 with Retry-After")
        for number in range(20):
            assert claim(f"still{number}").status in (201, 503)
        for user in list(won):
            assert claim(user).status == 200, f"the winner {user} was forgotten"

        ballast.unlink()
        wait_for("a claim wins again", lambda: claim("after").status in (200, 201), 30)
        for user in list(won):
            assert claim(user).status == 200
        assert server.get("/readyz").status == 200

        # The same after a restart, from the disk.
        assert server.stop() == 0, server.text()
        server.start()
        for user in list(won):
            assert claim(user).status == 200, f"the winner {user} was lost"
        ranks = sorted(json.loads(body)["rank"] for body in won.values())
        assert len(set(ranks)) == len(ranks)
        verified = run("verify", "--data", server.data)
        assert verified.returncode == 0, verified
    print(f"disk_full: {len(won)} winners, none lost; 1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
