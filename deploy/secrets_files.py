"""Makes the secret files of a deployment: `docker compose run --rm secrets`.

Each service is given only the files it may read. What exists is never changed, with two exceptions: files that
merely repeat a password follow it, and so does the entry `ledger` of the connection files. So a password is
changed by deleting its file and running this again. What only others know (core system, contractor, mail relay)
stands as CHANGE_ME until somebody fills it in; a service does not start with it. Files belong to the user id the
containers run under and are readable by nobody else.

A key that others must know of first comes into use in two steps: `secrets prepare NAME` makes it beside the present
one, `secrets take NAME` puts it in its place. Both may be run again.
"""

import base64
import datetime
import ipaddress
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

PRODUCT_UID = 50000
PLACEHOLDER = "CHANGE_ME"
PASSWORDS = ("postgres", "metadata", "ledger_writer", "ledger_auditor", "redis", "admin")
CERTIFICATE_DAYS = 825
FERNET_KEY = "fernet_key"
IN_TWO_STEPS = (FERNET_KEY, "signing_key", "sftp_key")


def main(folder: Path, *, url: str = "https://localhost:8443", demo: bool = False) -> None:
    """Fills the folder. `url` is where officers reach the web UI; `demo` fills in the invented outside world too."""
    made = _Folder(folder)
    for name in PASSWORDS:
        made.keep(f"{name}_password", secrets.token_urlsafe(24))
    _repeat_passwords(made)
    made.keep("fernet_key", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    made.keep("jwt_secret", secrets.token_urlsafe(64))
    made.keep("session_secret", secrets.token_urlsafe(32))
    made.keep("kek", base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
    made.keep("small_total_key", secrets.token_hex(32))
    made.keep_key_pair("signing_key")
    made.keep_key_pair("sftp_key")
    if not made.has("tls_key"):
        key, certificate = self_signed(urlsplit(url).hostname or "localhost")
        made.keep("tls_key", key)
        made.write("tls_certificate", certificate)
    if demo:
        _outside_world(made)
    _connections(made)
    made.keep(
        "allowed_signers", f'# {PLACEHOLDER}: example_print namespaces="notice-cycle-message" ssh-ed25519 …\n'
    )
    made.keep("users.json", "[]\n")


def prepare(folder: Path, name: str) -> str:
    """Makes the new key beside the present one. Gives the public line that others must know, or what to do next."""
    made = _Folder(folder)
    if name == FERNET_KEY:
        keys = made.read(FERNET_KEY).split(",")
        if len(keys) == 1:
            made.write(FERNET_KEY, f"{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()},{keys[0]}")
        return "airflow rotate-fernet-key"
    made.keep_key_pair(f"{name}.new")
    return made.read(f"{name}.new.pub").strip()


def take(folder: Path, name: str) -> None:
    """Puts what was prepared in the place of the present key; its public line is kept in NAME.former.pub."""
    made = _Folder(folder)
    if name == FERNET_KEY:
        made.write(FERNET_KEY, made.read(FERNET_KEY).split(",")[0])
        return
    if not made.has(f"{name}.new.pub"):
        sys.exit(
            f"{name}.new がありません。先に `docker compose run --rm secrets prepare {name}` を実行してください。"
        )
    former = made.read(f"{name}.former.pub") if made.has(f"{name}.former.pub") else ""
    if (present := made.read(f"{name}.pub")) not in former:
        made.write(f"{name}.former.pub", former + present)
    # The public line goes last: while it lies there, this may be run again.
    if made.has(f"{name}.new"):
        made.move(f"{name}.new", name)
    made.move(f"{name}.new.pub", f"{name}.pub")


def _repeat_passwords(made: "_Folder") -> None:
    metadata = f"airflow:{made.read('metadata_password')}@postgres/airflow"
    made.write("metadata_dsn", f"postgresql+psycopg2://{metadata}")
    made.write("metadata_async_dsn", f"postgresql+asyncpg://{metadata}")
    made.write(
        "ledger_reader_dsn",
        f"postgresql://ward_auditor:{made.read('ledger_auditor_password')}@postgres/ledger",
    )
    made.write("broker_url", f"redis://:{made.read('redis_password')}@redis:6379/0")
    made.write("result_backend", f"redis://:{made.read('redis_password')}@redis:6379/1")


def _connections(made: "_Folder") -> None:
    """The Airflow connections of each kind of worker; the gateways' names stand for what lies behind them."""
    ledger = _postgres("postgres", "ward_writer", made.read("ledger_writer_password"), "ledger")
    no_tls = {"disable_tls": True, "disable_ssl": True, "from_email": "kaigo-hoken@ward.example"}
    mail = {"conn_type": "smtp", "host": "mail-gateway", "port": 2525, "extra": no_tls}
    core_system = _postgres("core-gateway", "extractor", PLACEHOLDER, "core_system")
    contractor = {
        "conn_type": "sftp",
        "host": "sftp.print.example",
        "port": 22,
        "login": "ward",
        "extra": {"key_file": "/run/secrets/sftp_key", "host_key": PLACEHOLDER},
    }
    made.connections("connections_worker.json", ledger, {"core_system": core_system, "smtp_default": mail})
    made.connections("connections_lgwan.json", ledger, {"contractor_lgwan": contractor, "smtp_default": mail})


def _outside_world(made: "_Folder") -> None:
    """What the contractor, the core system and the officers of the rehearsal hold, and what the ward knows of them."""
    for name in ("demo_core_system", "demo_extractor"):
        made.keep(f"{name}_password", secrets.token_urlsafe(24))
    for name in ("demo_host_key", "demo_login_key", "demo_signing_key"):
        made.keep_key_pair(name)
    extractor = _postgres("core-gateway", "extractor", made.read("demo_extractor_password"), "core_system")
    made.keep("connections_worker.json", json.dumps({"core_system": extractor}))
    host = {"key_file": "/run/secrets/sftp_key", "host_key": made.read("demo_host_key.pub").strip()}
    lgwan = {"conn_type": "sftp", "host": "sftp.print.example", "port": 22, "login": "ward", "extra": host}
    made.keep("connections_lgwan.json", json.dumps({"contractor_lgwan": lgwan}))
    made.keep(
        "allowed_signers",
        f'example_print namespaces="notice-cycle-message" {made.read("demo_signing_key.pub")}',
    )
    # The contractor keeps the ward's earlier keys: packages signed with them are still open.
    signers = made.read("demo_ward_signers") if made.has("demo_ward_signers") else ""
    for public in filter(made.has, ("signing_key.pub", "signing_key.new.pub")):
        signer = f'架空区 namespaces="notice-cycle-manifest" {made.read(public)}'
        signers += "" if signer in signers else signer
    made.write("demo_ward_signers", signers)
    roster = (
        ("tanto1", "担当", "青木", "一郎", ["介護保険課"]),
        ("tanto2", "担当", "石川", "恵", ["介護保険課"]),
        ("shonin", "承認者", "上田", "誠", ["介護保険課", "地域包括ケア推進課"]),
        ("kacho", "課長", "北村", "修", ["介護保険課"]),
        ("houkatsu", "担当", "木村", "直子", ["地域包括ケア推進課"]),
        ("unyo", "情報システム運用", "江口", "望", []),
        ("kansa", "監査", "大野", "薫", []),
        ("kanri", "管理者", "小川", "豊", []),
    )
    users = [
        {"name": name, "role": role, "family_name": family, "given_name": given, "sections": sections,
         "mail": f"{name}@ward.example", "password": secrets.token_urlsafe(18)}
        for name, role, family, given, sections in roster
    ]  # fmt: skip
    made.keep("users.json", json.dumps(users, ensure_ascii=False, indent=1))
    passwords = {user["name"]: user["password"] for user in json.loads(made.read("users.json"))}
    made.write("demo_officers.json", json.dumps(passwords))


def _postgres(host: str, login: str, password: str, database: str) -> dict[str, Any]:
    return {"conn_type": "postgres", "host": host, "login": login, "password": password, "schema": database}


def self_signed(host: str) -> tuple[str, str]:
    """Key and certificate (PEM) for a host until the ward's own authority has issued one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    now = datetime.datetime.now(datetime.UTC)
    known_as: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName("web")]
    try:
        known_as.append(x509.IPAddress(ipaddress.ip_address(host)))
    except ValueError:
        known_as.append(x509.DNSName(host))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(known_as), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


class _Folder:
    """The secret files below one folder, 0700 and 0400."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)

    def has(self, name: str) -> bool:
        return (self.path / name).exists()

    def read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def keep(self, name: str, content: str) -> None:
        """Writes a file that is not there yet."""
        if not self.has(name):
            self.write(name, content)

    def write(self, name: str, content: str) -> None:
        """Writes a file when its content differs; whole or not at all."""
        if self.has(name) and self.read(name) == content:
            return
        beside = self.path / f".{name}.new"
        beside.unlink(missing_ok=True)
        with os.fdopen(
            os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w", encoding="utf-8"
        ) as file:
            file.write(content)
        if os.geteuid() == 0:
            os.chown(beside, PRODUCT_UID, PRODUCT_UID)
        beside.replace(self.path / name)

    def move(self, name: str, to: str) -> None:
        """Renames a file over another."""
        (self.path / name).replace(self.path / to)

    def keep_key_pair(self, name: str) -> None:
        """An Ed25519 key in OpenSSH's format, its public line in NAME.pub."""
        if not self.has(name):
            private = Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
            )
            self.write(name, private.decode())
        if not self.has(f"{name}.pub"):
            key = serialization.load_ssh_private_key(self.read(name).encode(), password=None)
            public = key.public_key().public_bytes(
                serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
            )
            self.write(f"{name}.pub", f"{public.decode()}\n")

    def connections(self, name: str, ledger: dict[str, Any], others: dict[str, Any]) -> None:
        """Sets `ledger` and adds what is missing; what somebody filled in stays."""
        known = json.loads(self.read(name)) if self.has(name) else {}
        self.write(name, json.dumps({**others, **known, "ledger": ledger}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    match sys.argv[2:]:
        case []:
            pass
        case ["prepare", name] if name in IN_TWO_STEPS:
            print(prepare(Path(sys.argv[1]), name))
        case ["take", name] if name in IN_TWO_STEPS:
            take(Path(sys.argv[1]), name)
        case _:
            sys.exit(f"secrets [prepare|take {'|'.join(IN_TWO_STEPS)}]")
    main(
        Path(sys.argv[1]),
        url=os.environ.get("NOTICE_CYCLE_URL", "https://localhost:8443"),
        demo=os.environ.get("NOTICE_CYCLE_DEMO") == "1",
    )
