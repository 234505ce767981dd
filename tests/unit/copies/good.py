"""A cycle of tests/builders whose persons, machines and places the sample register knows: nothing closes its gates."""

from tests.builders import ACycle, a_cycle

from notice_cycle import records as r

ON_THE_ROSTER = {
    "receipt": {"received_by": "見本 一郎"},
    "passphrase_handover": {"taker": "印刷 太郎"},
    "delivery": {"delivered_by": "印刷 次郎", "computers": ("PRINT-PC-1", "PRINT-PC-2")},
    "delivery_confirmation": {"deliverer": "印刷 次郎"},
}


def by_people_on_the_roster(cycle: ACycle) -> ACycle:
    """The same cycle with persons and machines that the sample register knows."""
    proof = cycle[r.ErasureRecord].parties[0]
    changes = {"operator": "見本 一郎", "witness": "見本 二葉"}
    places = ("sftp.print.example", "PRINT-PC-1", "PRINT-PC-1")
    known = tuple(
        copy.model_copy(update=changes | {"place": place})
        for copy, place in zip(proof.copies, places, strict=True)
    )
    good = proof.model_copy(update={"copies": known, "responsible_person": "見本 二葉"})
    return cycle.with_(**ON_THE_ROSTER, erasure={"parties": (good,)})


GOOD = by_people_on_the_roster(a_cycle())
