"""Makes the secret files of a deployment, once: `python3 deploy/secrets_files.py [folder]` (standard library only).

Each service is given only the files it may read. Existing files are never changed; delete one to have it made
anew. Run it as root: the files belong to the user id the containers run under, readable by nobody else.
"""

import base64
import json
import os
import secrets
import sys
from pathlib import Path

PRODUCT_UID = 50000


def main(folder: Path) -> None:
    """Fills the folder (0700)."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in ("postgres", "metadata", "ledger_writer", "redis", "admin"):
        _keep(folder / f"{name}_password", secrets.token_urlsafe(24))
    passwords = {path.name.removesuffix("_password"): path.read_text() for path in folder.glob("*_password")}
    metadata = f"airflow:{passwords['metadata']}@postgres/airflow"
    _keep(folder / "metadata_dsn", f"postgresql+psycopg2://{metadata}")
    _keep(folder / "metadata_async_dsn", f"postgresql+asyncpg://{metadata}")
    _keep(folder / "broker_url", f"redis://:{passwords['redis']}@redis:6379/0")
    _keep(folder / "result_backend", f"redis://:{passwords['redis']}@redis:6379/1")
    _keep(folder / "fernet_key", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    _keep(folder / "jwt_secret", secrets.token_urlsafe(64))
    _keep(folder / "session_secret", secrets.token_urlsafe(32))
    _keep(folder / "kek", base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
    _keep(folder / "small_total_key", secrets.token_hex(32))
    ledger = {
        "conn_type": "postgres",
        "host": "postgres",
        "login": "ward_writer",
        "password": passwords["ledger_writer"],
        "schema": "ledger",
    }
    _keep(folder / "connections_worker.json", json.dumps({"ledger": ledger}))
    _keep(folder / "connections_lgwan.json", json.dumps({"ledger": ledger}))


def _keep(path: Path, content: str) -> None:
    if path.exists():
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
        file.write(content)
    if os.geteuid() == 0:
        os.chown(path, PRODUCT_UID, PRODUCT_UID)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "secrets"))
