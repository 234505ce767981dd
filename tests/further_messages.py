"""A contractor's further messages, which no stage waits for, as they answer a cycle truly; builders like tests.builders."""

from datetime import timedelta
from typing import Any

from notice_cycle import records as r
from notice_cycle.exchange import messages as m
from tests.builders import OPENED_AT, ACycle, a_digest

LATER = OPENED_AT + timedelta(days=4)


def about(cycle: ACycle) -> dict[str, Any]:
    return {"cycle": cycle.id, "manifest_sha256": cycle[r.EncryptionRecord].manifest_sha256}


def a_rejection(cycle: ACycle, **changes: Any) -> m.Rejection:
    known: dict[str, Any] = {
        "level": 1,
        "reason_code": "digest_mismatch",
        "rejected_at": OPENED_AT + timedelta(hours=2),
        "rejected_by": "受領 太郎",
    }
    return m.Rejection(**(about(cycle) | known | changes))


def a_declared_copy(digest: str, **changes: Any) -> m.DeclaredCopy:
    known: dict[str, Any] = {
        "place": "PRINT-01",
        "carrier": "パソコン",
        "file_sha256": digest,
        "made_at": OPENED_AT + timedelta(hours=3),
        "purpose": "work",
        "access": "取扱者名簿の者",
    }
    return m.DeclaredCopy(**(known | changes))


def a_copy_declaration(cycle: ACycle, *copies: m.DeclaredCopy, **changes: Any) -> m.CopyDeclaration:
    known: dict[str, Any] = {
        "copies": copies or (a_declared_copy(cycle[r.CompositionRecord].print_file.sha256),),
        "declared_at": OPENED_AT + timedelta(hours=4),
        "declared_by": "届出 七郎",
    }
    return m.CopyDeclaration(**(about(cycle) | known | changes))


def a_transfer_record(cycle: ACycle, **changes: Any) -> m.TransferRecord:
    known: dict[str, Any] = {
        "taken_by_party": "架空封入株式会社",
        "carrier": "紙",
        "file_sha256": cycle[r.CompositionRecord].print_file.sha256,
        "sheets": cycle[r.CompositionRecord].quantities.sheets,
        "encrypted": False,
        "means": "自社便",
        "giver": "引渡 八郎",
        "taker": "受取 九郎",
        "handed_at": OPENED_AT + timedelta(days=1),
    }
    return m.TransferRecord(**(about(cycle) | known | changes))


def a_destroyed_paper(**changes: Any) -> m.DestroyedPaper:
    known: dict[str, Any] = {
        "what": "spoilage",
        "sheets": 3,
        "method": "shredding",
        "destroyed_at": LATER,
        "operator": "消去 四郎",
        "witness": "立会 五郎",
    }
    return m.DestroyedPaper(**(known | changes))


def a_destruction_certificate(
    cycle: ACycle, *papers: m.DestroyedPaper, **changes: Any
) -> m.DestructionCertificate:
    known: dict[str, Any] = {
        "certificate_number": "廃-26-001",
        "papers": papers or (a_destroyed_paper(),),
        "certified_at": LATER,
        "responsible_person": "責任 六郎",
    }
    return m.DestructionCertificate(**(about(cycle) | known | changes))


def a_pullout_confirmation(cycle: ACycle, **changes: Any) -> m.PulloutConfirmation:
    known: dict[str, Any] = {
        "request_number": f"{cycle.id}-引抜き1",
        "request_sha256": a_digest("request"),
        "pulled": 2,
        "replaced": 0,
        "not_found": 0,
        "done_at": OPENED_AT + timedelta(days=1),
        "done_by": "引抜 十郎",
    }
    return m.PulloutConfirmation(**(about(cycle) | known | changes))


def a_posting_receipt(cycle: ACycle, **changes: Any) -> m.PostingReceipt:
    known: dict[str, Any] = {
        "receipt_number": "差-26-001",
        "post_office": "架空中央郵便局",
        "lots": (m.Lot(lot="1", envelopes=cycle[r.CompositionRecord].quantities.envelopes),),
        "posted_at": OPENED_AT + timedelta(days=3),
        "posted_by": "差出 一子",
    }
    return m.PostingReceipt(**(about(cycle) | known | changes))


def a_return_notice(cycle: ACycle, **changes: Any) -> m.ReturnNotice:
    known: dict[str, Any] = {
        "discs": (),
        "passphrase_notices": (f"{cycle.id}-PW1",),
        "means": "手渡し",
        "returned_at": LATER,
        "returned_by": "返却 二子",
    }
    return m.ReturnNotice(**(about(cycle) | known | changes))


def a_measure_change(cycle: ACycle, **changes: Any) -> m.MeasureChange:
    known: dict[str, Any] = {
        "summary": "印刷室の施錠を電子錠に変える",
        "reported_at": LATER,
        "reported_by": "報告 三子",
    }
    return m.MeasureChange(**(about(cycle) | known | changes))


def an_incident_notice(cycle: ACycle, **changes: Any) -> m.IncidentNotice:
    known: dict[str, Any] = {
        "what": "likelihood",
        "category": "loss",
        "known_at": OPENED_AT + timedelta(days=2),
        "outline": "封筒一通の所在を確認中",
        "persons_at_most": 1,
        "measures_taken": "作業を止めた",
        "contact": "架空印刷 責任者",
        "reported_at": OPENED_AT + timedelta(days=2, hours=1),
        "reported_by": "報告 三子",
    }
    return m.IncidentNotice(**(about(cycle) | known | changes))


def an_enclosure(cycle: ACycle, **changes: Any) -> m.Enclosure:
    known: dict[str, Any] = {
        "file": "not-found.age",
        "file_sha256": a_digest("enclosed"),
        "size_bytes": 1_000,
        "purpose": "pullout_not_found",
        "sent_at": LATER,
        "sent_by": "送付 四子",
    }
    return m.Enclosure(**(about(cycle) | known | changes))
