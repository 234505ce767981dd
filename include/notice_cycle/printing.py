"""Paper: the only way out for a passphrase. A real printer through `lp`, or a folder that stands for one.

The document goes from memory to the printer; no temporary file ever holds it.
"""

import os
import subprocess
from pathlib import Path

from notice_cycle.errors import CannotLook
from notice_cycle.settings import Settings

_LP_SECONDS = 60


def print_document(settings: Settings, name: str, pdf: bytes) -> None:
    """Prints a PDF. Raises CannotLook when the printer does not take it."""
    if settings.print_tray is not None:
        _into_tray(settings.print_tray, name, pdf)
        return
    try:
        subprocess.run(
            ["lp", "-d", settings.printer, "-t", name, "-"],
            input=pdf,
            check=True,
            capture_output=True,
            timeout=_LP_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        raise CannotLook(
            "プリンタが印刷を受け付けません。",
            advice="プリンタの電源・用紙・接続を確認し、再実行してください。",
        ) from None


def _into_tray(tray: Path, name: str, pdf: bytes) -> None:
    tray.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = tray / f".{name}.partial"
    with open(partial, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as target:
        target.write(pdf)
    partial.replace(tray / f"{name}.pdf")
