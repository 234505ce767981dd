"""Stands for the ward's mail server: takes every mail and delivers none.

Each mail becomes one file `NNNN-<subject>.eml`, whole from the moment it can be seen. Run it with
`python -m embedded_ward.mail_catcher --mail DIRECTORY --port PORT`; it listens on 127.0.0.1 unless --host says otherwise.
"""

import argparse
import asyncio
import logging
import re
import signal
import unicodedata
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

log = logging.getLogger("mail_catcher")

_MAXIMUM_BYTES = 10 * 2**20


class MailDirectory:
    """aiosmtpd's handler: numbers the mails of a directory and stores them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Store one mail; the answer is what the sender is told."""
        path = self.store(envelope.content or b"", envelope.mail_from or "", envelope.rcpt_tos)
        log.info("%s: %d bytes for %d recipients", path.name, path.stat().st_size, len(envelope.rcpt_tos))
        return f"250 stored as {path.name.partition('-')[0]}"

    def store(self, content: bytes | str, sender: str, recipients: list[str]) -> Path:
        """Write the mail as received, below the two envelope lines that a mail does not carry itself."""
        body = content.encode() if isinstance(content, str) else content
        envelope = f"X-Envelope-From: {sender}\r\nX-Envelope-To: {', '.join(recipients)}\r\n"
        subject = str(message_from_bytes(body, policy=policy.default)["subject"] or "")
        path = self.directory / f"{self._next_number():04d}-{slug(subject)}.eml"
        beside = path.with_name(f".{path.name[:4]}.new")
        beside.write_bytes(envelope.encode() + body)
        return beside.replace(path)

    def _next_number(self) -> int:
        return max((int(path.name[:4]) for path in self.directory.glob("[0-9]*-*.eml")), default=0) + 1


def slug(subject: str) -> str:
    """The subject as part of a file name: letters and digits of any script, at most 40 of them."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", subject))
    return "-".join(words)[:40].strip("-") or "no-subject"


async def serve(directory: Path, host: str, port: int) -> None:
    """Listen until SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(
        partial(
            SMTP,
            MailDirectory(directory),
            data_size_limit=_MAXIMUM_BYTES,
            enable_SMTPUTF8=True,
            hostname="mail.ward.example",
        ),
        host,
        port,
    )
    log.info("listening on %s:%d", host, port)
    async with server:
        await stopped.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--mail", type=Path, required=True)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, required=True)
    options = arguments.parse_args()
    asyncio.run(serve(options.mail, options.host, options.port))
