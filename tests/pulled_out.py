"""What pull-outs leave beside the chain, for tests: asked for, as far as it came, and confirmed. Nobody here exists."""

from datetime import timedelta
from typing import Any

from notice_cycle import records as r
from notice_cycle.pullout import PulloutConfirmed, PulloutRequested
from notice_cycle.pullout.facts import LotEmptied
from tests.builders import CONTRACTOR, OPENED_AT, TANTO, ACycle, a_digest, a_file

LATER = OPENED_AT + timedelta(days=1)


def asked(cycle: ACycle, number: int = 1, **changes: Any) -> PulloutRequested:
    """Three notices in two envelopes of lot 1, one envelope disappears."""
    known = {
        "pullout": number,
        "number": f"{cycle.id}-引抜き{number}",
        "purpose": "引抜き",
        "dispatch": cycle[r.CompositionRecord].print_file.sha256,
        "dag_id": "pull_out",
        "run_id": f"manual__pull{number}",
        "notices": 3,
        "by_reason": {"paid": 2, "death": 1},
        "envelopes": 2,
        "opened": 1,
        "lots": (LotEmptied(lot_no=1, envelopes=2),),
        "list_file": a_file(f"pullout-{number}.csv"),
        "requested_by": TANTO,
        "requested_at": LATER,
    }
    return PulloutRequested(**(known | changes))


def said(number: int = 1, *, pulled: int = 3, not_found: int = 0) -> PulloutConfirmed:
    return PulloutConfirmed(
        pullout=number,
        party=CONTRACTOR,
        message_sha256=a_digest(number),
        pulled=pulled,
        not_found=not_found,
        done_at=LATER,
        done_by="引抜 十郎",
    )


def step(record: r.Record, number: int = 1) -> r.PulloutStep:
    return r.PulloutStep.of(number, record)


def the_list(cycle: ACycle, number: int = 1) -> ACycle:
    """The records of a pull-out's package, as if it were a dispatch: three notices, in the package after the first."""
    package, notice = f"{cycle.id}-p{number + 1}", f"{cycle.id}-PW{number + 1}"
    listed = a_file(f"pullout-{number}.csv", b"three numbers")
    manifest = a_file("manifest.json", package.encode())
    sealed = a_file(f"{package}.csv.age", f"ciphertext of list {number}".encode())
    files = (sealed, manifest, *cycle[r.EncryptionRecord].files[2:])
    counted = {"persons": 3, "notices": 3, "envelopes": 3, "sheets": 3}
    return cycle.up_to(r.ContentReceiptRecord).with_(
        composition={"print_file": listed, "quantities": r.Quantities(**counted), "totals": {}, "lots": ()},
        handover_approval={"print_file_sha256": listed.sha256},
        encryption={"package": package, "files": files, "manifest_sha256": manifest.sha256},
        handover={"files": files},
        passphrase_notice={"notice_number": notice},
        passphrase_handover={"notice_number": notice, "confirmation_number": f"{notice}-確認書"},
        content_receipt={"print_file_sha256": listed.sha256},
    )


def opened_list(cycle: ACycle, number: int = 1) -> list[r.Fact]:
    """A request that the contractor has opened and not confirmed."""
    records = the_list(cycle, number).records
    first = next(at for at, one in enumerate(records) if isinstance(one, r.CompositionRecord))
    return [asked(cycle, number), *(step(one, number) for one in records[first:])]


def with_the_list_erased(cycle: ACycle) -> ACycle:
    """A cycle whose contractor also reports the list: its package on the host and the PC, and what was opened."""
    listed, (proof,) = the_list(cycle), cycle[r.ErasureRecord].parties
    sealed, opened = listed[r.EncryptionRecord].files[0], listed[r.CompositionRecord].print_file
    erased = [
        copy.model_copy(update={"file_sha256": file.sha256})
        for copy, file in zip(proof.copies, (sealed, sealed, opened), strict=True)
    ]
    every = proof.model_copy(update={"copies": (*proof.copies, *erased)})
    return cycle.with_(erasure={"parties": (every,)})
