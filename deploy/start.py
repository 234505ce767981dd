"""How every container starts: the secrets it was given are looked at, then the command takes its place.

Refuses to start with a secret that is empty, still the placeholder, a password known from manuals, or too short
to be one. Where the data are invented, every page of the web UI says so. Standard library only.
"""

import json
import os
import sys
from pathlib import Path

SECRETS = Path("/run/secrets")
PLACEHOLDER = "CHANGE_ME"
KNOWN = frozenset(
    [
        "admin",
        "administrator",
        "airflow",
        "changeme",
        "default",
        "guest",
        "ledger",
        "notice",
        "notice-cycle",
        "password",
        "passw0rd",
        "postgres",
        "postgresql",
        "redis",
        "root",
        "secret",
        "test",
        "ward",
        "welcome",
    ]
)
SHORTEST_PASSWORD = 14

# AIRFLOW__API__THEME where the data are invented: above everything else, whatever page is shown.
MARK_ON_EVERY_PAGE = {
    "globalCss": {
        "body::after": {
            "content": '"架空データ"',
            "position": "fixed",
            "top": "0",
            "left": "50%",
            "transform": "translateX(-50%)",
            "zIndex": "99999",
            "padding": "1px 18px",
            "borderRadius": "0 0 6px 6px",
            "background": "#b3261e",
            "color": "white",
            "fontWeight": "bold",
            "fontSize": "13px",
            "pointerEvents": "none",
        }
    }
}


def complaints(folder: Path) -> list[str]:
    """One sentence for each secret file that must not be used; values are never told."""
    return [
        f"{path.name}: {reason}"
        for path in sorted(folder.glob("*"))
        if path.is_file() and (reason := _complaint(path.name, path.read_bytes().strip()))
    ]


def _complaint(name: str, content: bytes) -> str | None:
    if not content:
        return "空です。値を入れるか、消して `docker compose run --rm secrets` で作り直してください。"
    if PLACEHOLDER.encode() in content:
        return f"{PLACEHOLDER} のままです。実際の値に書き換えてください。"
    if not name.endswith("_password"):
        return None
    text = content.decode(errors="replace")
    if text.lower().rstrip("0123456789!_-") in KNOWN:
        return "よく知られた初期パスワードです。ファイルを消して `docker compose run --rm secrets` で作り直してください。"
    if len(text) < SHORTEST_PASSWORD:
        return f"{SHORTEST_PASSWORD}文字より短いパスワードです。作り直してください。"
    return None


def main(command: list[str]) -> None:
    """Becomes the command, or ends with the complaints and exit status 78 (configuration)."""
    if found := complaints(SECRETS):
        print(
            "起動しません。secrets/ の次のファイルを直してください（docs/operations.md）。", file=sys.stderr
        )
        print("\n".join(f"  {line}" for line in found), file=sys.stderr, flush=True)
        sys.exit(os.EX_CONFIG)
    if os.environ.get("NOTICE_CYCLE_SYNTHETIC") == "1":
        os.environ["AIRFLOW__API__THEME"] = json.dumps(MARK_ON_EVERY_PAGE)
    os.execvp(command[0], command)  # noqa: S606 - the command of docker-compose.yaml


if __name__ == "__main__":
    main(sys.argv[1:])
