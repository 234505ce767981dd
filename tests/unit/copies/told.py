"""What parties tell beside their receipts, as facts and proofs that fit a cycle of tests/builders."""

from datetime import timedelta
from typing import Any

from tests.builders import CONTRACTOR, OPENED_AT, ACycle, a_digest, an_erasure_certificate

from notice_cycle.copies import CopiesDeclared, CopyTransferred, PapersDestroyed
from notice_cycle.erasure.verify import Proof
from notice_cycle.exchange import messages as m
from notice_cycle.values import sha256

SUBCONTRACTOR = "example_insert"


def a_declared_copy(digest: str, **changes: Any) -> m.DeclaredCopy:
    known: dict[str, Any] = {
        "place": "PRINT-PC-1",
        "carrier": "パソコン",
        "file_sha256": digest,
        "made_at": OPENED_AT + timedelta(hours=4),
        "purpose": "work",
        "access": "見本 一郎だけ",
    }
    return m.DeclaredCopy(**(known | changes))


def a_declaration(*copies: m.DeclaredCopy, party: str = CONTRACTOR) -> CopiesDeclared:
    return CopiesDeclared(
        party=party,
        message_sha256=a_digest(("declaration", party, copies)),
        copies=copies,
        declared_at=OPENED_AT + timedelta(hours=5),
        declared_by="見本 一郎",
    )


def a_transfer(digest: str, **changes: Any) -> CopyTransferred:
    known: dict[str, Any] = {
        "party": CONTRACTOR,
        "message_sha256": a_digest("transfer"),
        "to": SUBCONTRACTOR,
        "carrier": "パソコン",
        "file_sha256": digest,
        "sheets": 0,
        "encrypted": True,
        "means": "専用線",
        "giver": "見本 一郎",
        "taker": "封入 二郎",
        "handed_at": OPENED_AT + timedelta(minutes=130),
    }
    return CopyTransferred(**(known | changes))


def destroyed(what: str, sheets: int, **changes: Any) -> PapersDestroyed:
    known: dict[str, Any] = {
        "what": what,
        "sheets": sheets,
        "method": "shredding",
        "destroyed_at": OPENED_AT + timedelta(days=3),
        "operator": "見本 一郎",
        "witness": "見本 二葉",
    }
    return PapersDestroyed(
        party=CONTRACTOR,
        message_sha256=a_digest(("destroyed", what, sheets)),
        certificate_number="廃-26-1",
        papers=(m.DestroyedPaper(**(known | changes)),),
        certified_at=OPENED_AT + timedelta(days=4),
        responsible_person="見本 二葉",
    )


def a_proof(cycle: ACycle, report: m.ErasureReport, *, party: str = CONTRACTOR, **certificate: Any) -> Proof:
    certified = an_erasure_certificate(cycle, report, **certificate)
    return Proof(
        party=party,
        signed_by=party,
        report=report,
        report_sha256=sha256(report.content()),
        certificate=certified,
        certificate_sha256=a_digest(("certificate", party)),
    )
