"""Every secret of one demo, made fresh and thrown away with it.

Files are 0600 in a 0700 directory; each party's private keys lie in its own home, so that the ward's half of
the demo cannot read the contractor's. Values in memory do not print. A deployment gets its secrets from its
own administrators, never from here.
"""

import base64
import json
import os
import secrets as random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from embedded_ward.layout import WardLayout

SFTP_USERS = ("ward", "contractor")
DATABASE_ROLES = (
    "postgres",
    "airflow",
    "ledger_installer",
    "ward_writer",
    "ward_auditor",
    "core_system",
    "extractor",
)

# For passwords that a person reads from one window and types into another: no l/1, no O/0.
_SYLLABLES = tuple(consonant + vowel for consonant in "kstnhmyrgzdb" for vowel in "aeu")


@dataclass(frozen=True)
class WardSecrets:
    """Where the key files are, and the secrets that are not files. Key files are OpenSSH ed25519, 0600."""

    kek_file: Path  # 32 random bytes in base64: the key that encrypts the keys of the vault
    ward_signing_key: Path
    contractor_signing_key: Path
    sftp_host_key: Path
    sftp_client_keys: Mapping[str, Path]  # by SFTP user
    fernet_key: SecretStr
    jwt_secret: SecretStr
    session_secret: SecretStr
    database_passwords: Mapping[str, SecretStr]  # by role
    user_passwords: Mapping[str, SecretStr]  # by Airflow user name

    @property
    def sftp_host_public_key(self) -> str:
        """`ssh-ed25519 AAAA…`, as the connection of the SFTP provider wants it pinned."""
        return public_key(self.sftp_host_key)


def create_secrets(layout: WardLayout, user_names: Iterable[str]) -> WardSecrets:
    """Make every secret of a freshly created layout, with a password for each Airflow user named."""
    _write(layout.secrets / "kek", base64.b64encode(random.token_bytes(32)) + b"\n")
    files = _files(layout)
    for key_file in (
        files["ward_signing_key"],
        files["contractor_signing_key"],
        files["sftp_host_key"],
        *_client_keys(layout).values(),
    ):
        _write_key_pair(key_file)
    for user, key_file in _client_keys(layout).items():
        (layout.authorized_keys / user).write_text(public_key(key_file) + "\n", encoding="utf-8")
    values = {
        "fernet_key": base64.urlsafe_b64encode(random.token_bytes(32)).decode(),
        "jwt_secret": random.token_urlsafe(64),
        "session_secret": random.token_urlsafe(32),
        "database_passwords": {role: random.token_urlsafe(24) for role in DATABASE_ROLES},
        "user_passwords": {user: _readable_password() for user in user_names},
    }
    _write(layout.secrets / "values.json", json.dumps(values, indent=1).encode())
    return load_secrets(layout)


def load_secrets(layout: WardLayout) -> WardSecrets:
    """Read what `create_secrets` has made, from any process of the same demo."""
    values = json.loads((layout.secrets / "values.json").read_text(encoding="utf-8"))
    return WardSecrets(
        **_files(layout),
        sftp_client_keys=_client_keys(layout),
        fernet_key=SecretStr(values["fernet_key"]),
        jwt_secret=SecretStr(values["jwt_secret"]),
        session_secret=SecretStr(values["session_secret"]),
        database_passwords={name: SecretStr(text) for name, text in values["database_passwords"].items()},
        user_passwords={name: SecretStr(text) for name, text in values["user_passwords"].items()},
    )


def public_key(private_key: Path) -> str:
    """The public half beside a private key file, as one OpenSSH line without comment."""
    return private_key.with_suffix(".pub").read_text(encoding="ascii").strip()


def _files(layout: WardLayout) -> dict[str, Path]:
    return {
        "kek_file": layout.secrets / "kek",
        "ward_signing_key": layout.secrets / "ward_signing_key",
        "contractor_signing_key": layout.contractor_home / "keys" / "signing_key",
        "sftp_host_key": layout.sftp_host_key,
    }


def _client_keys(layout: WardLayout) -> dict[str, Path]:
    homes = dict(zip(SFTP_USERS, (layout.secrets, layout.contractor_home / "keys"), strict=True))
    return {user: home / f"sftp_{user}_key" for user, home in homes.items()}


def _write_key_pair(private: Path) -> None:
    key = Ed25519PrivateKey.generate()
    _write(
        private,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        ),
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private.with_suffix(".pub").write_bytes(public + b"\n")


def _write(path: Path, content: bytes) -> None:
    # Never readable by others, not even between creating and chmod; never over an older secret.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _readable_password() -> str:
    words = ("".join(random.choice(_SYLLABLES) for _ in range(3)) for _ in range(3))
    return "-".join((*words, f"{random.randbelow(9000) + 1000}"))
