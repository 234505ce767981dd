"""The stock command age, answered on a terminal of its own."""

import errno
import os
import pty
import select
import subprocess
import time
from pathlib import Path


def run_age(*arguments: str, secret: str, folder: Path | None = None) -> None:
    """Run `age`, which asks for passphrases on a terminal only, and answer every question with `secret`."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["age", *arguments],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said, answered, deadline = b"", 0, time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                part = os.read(ours, 1024)
            except OSError as error:
                if error.errno != errno.EIO:  # the terminal's other end is closed: it has ended
                    raise
                break
            if not part:
                break
            said += part
            if (
                asked := said.count(b"passphrase") + said.count(b"Passphrase")
            ) > answered and said.rstrip().endswith(b":"):
                answered = asked
                os.write(ours, secret.encode() + b"\n")
        assert process.wait(timeout=5) == 0, said.decode(errors="replace")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
