"""docs/exchange-vectors.json: messages, signatures and verdicts that any reader of the format must come to.

    python -m tests.unit.exchange.test_vectors        writes them anew

The door comes to the verdicts told, and stock `ssh-keygen` agrees about the signatures.
"""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contractor_kit.templates import template
from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey
from notice_cycle.errors import Refused
from notice_cycle.exchange import door
from notice_cycle.exchange.messages import MESSAGE_NAMESPACE, MESSAGES
from notice_cycle.exchange.package import MANIFEST_NAMESPACE

PATH = Path(__file__).parents[3] / "docs" / "exchange-vectors.json"
SIGNER, CYCLE = "example_print", "2026-premium_notice_ordinary-annual-01"
JUDGED_AT = datetime(2026, 8, 1, tzinfo=UTC)


def _key(number: int) -> SigningKey:
    """Keys of these vectors only: their private halves are no secret."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


CONTRACTOR, INSERT, STRANGER = _key(1), _key(2), _key(3)
ALLOWED = (
    f'{SIGNER} namespaces="{MESSAGE_NAMESPACE}" {CONTRACTOR.public_line}\n'
    f'example_insert namespaces="{MESSAGE_NAMESPACE}" {INSERT.public_line}\n'
)


def _vectors() -> Iterator[dict[str, Any]]:
    for kind in MESSAGES:
        for form, encoding in (("json", "utf-8"), ("csv", "utf-8"), ("csv", "cp932")):
            content = template(kind, form="csv" if form == "csv" else "json").encode(encoding)
            yield _vector(f"{kind}, {form}, {encoding}", kind, content, form=form)
    receipt = template("receipt").encode()
    yield _vector("one letter altered after signing", "receipt", receipt.replace(b"annual-01-p1", b"annual-01-p2"),
                  signed=receipt, refused="署名と一致しません")  # fmt: skip
    yield _vector(
        "signed for another purpose", "receipt", receipt, namespace=MANIFEST_NAMESPACE, refused="用途"
    )
    yield _vector("an unknown key", "receipt", receipt, key=STRANGER, refused="署名者の一覧にありません")
    yield _vector(
        "a receipt of a subcontractor", "receipt", receipt, key=INSERT, refused="委託先（乙）だけが出せる届出"
    )
    for name, old, new, refused in (
        ("another cycle", b"annual-01", b"annual-02", "別の発送回"),
        ("of the future", b"2026-07-03T10", b"2027-07-03T10", "未来の日時"),
        ("a time without zone", b"+09:00", b"", "received_at"),
        ("a formula", "受け取った者の氏名".encode(), b"=1+1", "received_by"),
        ("an unknown field", b'"received_by"', b'"by"', "項目"),
        ("a field twice", b'"received_by"', b'"received_by": "x", "received_by"', "JSON として読めません"),
        ("a digest in capitals", b'"0000', b'"A000', "項目"),
        ("a path as file name", b'"manifest.json"', b'"../manifest.json"', "files"),
        ("another format", b"message/1", b"message/2", "format"),
        ("cut off", b"}\n", b"", "項目"),
    ):
        content = receipt.replace(old, new) if name != "cut off" else receipt[:-3]
        told = "JSON として読めません" if name == "cut off" else refused
        yield _vector(name, "receipt", content, refused=told)


def _vector(
    name: str,
    kind: str,
    content: bytes,
    *,
    form: str = "json",
    key: SigningKey = CONTRACTOR,
    namespace: str = MESSAGE_NAMESPACE,
    signed: bytes | None = None,
    refused: str = "",
) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "form": form,
        "content_base64": base64.b64encode(content).decode(),
        "signature": key.sign(signed or content, namespace=namespace),
        "verdict": "refused" if refused else "accepted",
        "reason": refused,
    }


def written() -> str:
    return json.dumps(
        {
            "format": "notice-cycle-message/1",
            "namespace": MESSAGE_NAMESPACE,
            "allowed_signers": ALLOWED,
            "cycle": CYCLE,
            "judged_at": JUDGED_AT.isoformat(),
            "vectors": list(_vectors()),
        },
        ensure_ascii=False,
        indent=1,
    )


if __name__ == "__main__":
    PATH.write_text(written() + "\n", encoding="utf-8")

KNOWN = json.loads(PATH.read_text(encoding="utf-8"))
VECTORS = {one["name"]: one for one in KNOWN["vectors"]}


def test_the_vectors_are_those_of_the_code_and_tell_every_kind() -> None:
    assert PATH.read_text(encoding="utf-8") == written() + "\n"
    accepted = {one["kind"] for one in VECTORS.values() if one["verdict"] == "accepted"}
    assert accepted == MESSAGES.keys()
    assert len(VECTORS) == len(KNOWN["vectors"])


@pytest.mark.parametrize("name", VECTORS)
def test_the_door_comes_to_the_verdict(name: str) -> None:
    vector = VECTORS[name]

    def admitted() -> door.Admitted[Any]:
        return door.admit(
            base64.b64decode(vector["content_base64"]),
            vector["signature"].encode(),
            MESSAGES[vector["kind"]],
            cycle=KNOWN["cycle"],
            signers={SIGNER: SIGNER, "example_insert": "example_insert"},
            contractor=SIGNER,
            allowed=AllowedSigners.parse(KNOWN["allowed_signers"]),
            at=datetime.fromisoformat(KNOWN["judged_at"]),
            form=vector["form"],
        )

    if vector["verdict"] == "accepted":
        assert admitted().signed_by == SIGNER
        return
    with pytest.raises(Refused) as refused:
        admitted()
    assert vector["reason"] in refused.value.message


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="`ssh-keygen` is not installed")
def test_ssh_keygen_agrees_about_every_signature(tmp_path: Path) -> None:
    (tmp_path / "allowed").write_text(KNOWN["allowed_signers"])
    by_signature = {"署名と一致しません", "用途", "署名者の一覧にありません"}
    for vector in VECTORS.values():
        (tmp_path / "sig").write_text(vector["signature"])
        signer = "example_insert" if "subcontractor" in vector["name"] else SIGNER
        command = [
            "ssh-keygen",
            "-Y",
            "verify",
            "-f",
            "allowed",
            "-I",
            signer,
            "-n",
            KNOWN["namespace"],
            "-s",
            "sig",
        ]
        content = base64.b64decode(vector["content_base64"])
        ran = subprocess.run(command, cwd=tmp_path, input=content, capture_output=True, check=False)
        assert (ran.returncode == 0) == (vector["reason"] not in by_signature), vector["name"]
