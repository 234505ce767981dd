"""What must hold when the cycle has closed: quantities, ledger, package, empty folders, and no trace of the canary."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.compose_check.cycle import DISC_RUN, RUN
from deploy.compose_check.deployment import CheckFailed, Deployment
from tests.e2e.trace import files_below, traces  # the same search as in the end-to-end test

from embedded_ward.demo import agreeing_quantities
from notice_cycle import records as r
from notice_cycle.ledger.entry import Entry
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.stage import CYCLE_RECORDS
from synthetic_ward.canary import CANARY

MUST_BE_EMPTY = ("/srv/vault", "/srv/outbox", "/srv/inbox", "/srv/print_tray")
DUMPED = ("airflow", "ledger")


def read_history(deployment: Deployment, run: str = RUN) -> CycleHistory:
    """The cycle of a run out of the ledger, whose chain must verify; read with the auditor's login."""
    told = deployment.run_as_init("ledger.py")
    if not told["holds"]:
        raise CheckFailed(f"the ledger does not verify: {told['reason']}", "postgres")
    entries = [Entry.from_text(text) for text in told["entries"]]
    opened = [
        entry for entry in entries if entry.kind == r.OpeningRecord.kind() and entry.data["run_id"] == run
    ]
    if len(opened) != 1:
        raise CheckFailed(f"{len(opened)} cycles were opened by one run", "worker")
    return CycleHistory([entry for entry in entries if entry.cycle == opened[0].cycle])


def check_quantities(deployment: Deployment, run: str = RUN) -> str:
    """Every record stands once, every quantity agrees, the chain verifies."""
    history = read_history(deployment, run)
    kinds = [entry.kind for entry in history.records]
    if kinds != [record.kind() for record in CYCLE_RECORDS]:
        raise CheckFailed(f"not every record stands exactly once: {', '.join(kinds)}", "worker")
    rows = agreeing_quantities(history)
    if wrong := [
        f"{what} {number:,} instead of {expected:,}" for what, number, expected in rows if number != expected
    ]:
        raise CheckFailed("quantities that do not agree: " + "; ".join(wrong), "worker")
    persons = history.latest(r.ExtractionRecord).persons
    return f"{len(kinds)} records each once, {len(rows)} quantities agree ({persons:,} persons), the ledger verifies"


def check_package(deployment: Deployment, seen: list[str]) -> str:
    """The package lay on the contractor's host once, byte for byte, was never sent again, and is erased there.

    `seen`: what package_on_host told in the stages in which it lay there.
    """
    handover = read_history(deployment).latest(r.HandoverRecord)
    folder = handover.lgwan.remote_folder.rpartition("/")[2] if handover.lgwan else ""
    while seen and not seen[-1].strip():
        seen = seen[:-1]  # looked at once more after the contractor had erased it
    expected = sorted(f"{file.sha256}  ./{folder}/{file.name}" for file in handover.files)
    if not seen or sorted(seen[0].splitlines()[: len(expected)]) != expected:
        raise CheckFailed(
            f"not the package as recorded lay on the host:\n{''.join(seen[:1])}", "contractor-host"
        )
    if len(seen[0].splitlines()) != 2 * len(expected) or len(set(seen)) != 1:
        raise CheckFailed(
            "the files on the host changed, or more lay there:\n" + "\n".join(seen), "contractor-host"
        )
    if left := deployment.package_on_host():
        raise CheckFailed(f"the contractor's host still holds:\n{left}", "contractor-host")
    return f"{len(expected)} files lay there as recorded, the same {len(seen)} times looked at; erased now"


def check_disc(deployment: Deployment) -> str:
    """The small cycle went by disc alone: given once, nothing over the line, discs and notice given back."""
    history = read_history(deployment, DISC_RUN)
    handover = history.latest(r.HandoverRecord)
    if handover.dvd is None:
        raise CheckFailed(f"the cycle went by {handover.route}", "worker")
    back = [fact.quantity for kind in (r.MediaReturn, r.PassphraseReturn) for fact in history.facts(kind)]
    if back != [handover.dvd.quantity, 1]:
        raise CheckFailed(f"{back} came back of {handover.dvd.quantity} discs and a notice", "officers")
    if begun := [fact.package for fact in history.facts(r.HandoverBegun) if fact.route != "dvd"]:
        raise CheckFailed(f"{', '.join(begun)} was begun to be sent over the line", "worker-lgwan")
    if left := deployment.package_on_host():
        raise CheckFailed(f"the contractor's host holds:\n{left}", "contractor-host")
    return (
        f"{handover.dvd.quantity} disc given once and given back with its notice, nothing of it over the line"
    )


def check_nothing_is_left(deployment: Deployment) -> str:
    """No file in vault, outbox, inbox and print tray."""
    found = deployment.docker("exec", deployment.of("worker")[0].id, "find", *MUST_BE_EMPTY, "-type", "f")
    if left := found.decode().split():
        raise CheckFailed(f"{len(left)} files are left: {', '.join(left[:10])}", "worker")
    return f"{', '.join(MUST_BE_EMPTY)} are empty"


def check_canary(deployment: Deployment) -> str:
    """Nothing of the canary in logs, databases and mails; all of her in the core system."""
    core_system = [("core_system", _dump(deployment, "core-system", "core_system"))]
    terms = {found.split(": ", 1)[1] for found in traces(CANARY.search_terms(), core_system)}
    if not terms >= {CANARY.surname, CANARY.insured_no, CANARY.notice_no}:
        raise CheckFailed(
            "the search does not find the canary where she is, in the core system", "core-system"
        )
    with tempfile.TemporaryDirectory(prefix="notice-cycle-check-") as folder:
        looked = list(_where_she_must_not_be(deployment, Path(folder)))
    if found := traces(CANARY.search_terms(), looked):
        raise CheckFailed("the canary was found: " + "; ".join(sorted(found)[:10]))
    mebibytes = sum(len(content) for _, content in looked) / 2**20
    return (
        f"{len(terms)} of her values in the core system, none in {len(looked)} places ({mebibytes:.1f} MiB)"
    )


def _where_she_must_not_be(deployment: Deployment, folder: Path) -> Iterator[tuple[str, bytes]]:
    yield "docker compose logs", deployment.logs()
    for database in DUMPED:
        yield f"database {database}", _dump(deployment, "postgres", database)
    for service, source in (("worker", "/srv/logs"), ("mail-catcher", "/srv/mail")):
        target = folder / Path(source).name
        target.mkdir()
        deployment.copy_folder(service, source, target)
        copied = list(files_below(target))
        if not copied:
            raise CheckFailed(f"{source} is empty: nothing was looked through", service)
        yield from copied


def _dump(deployment: Deployment, service: str, database: str) -> bytes:
    return deployment.docker("exec", deployment.of(service)[0].id, "pg_dump", "-U", "postgres", database)


def installed_state(deployment: Deployment) -> dict[str, bytes]:
    """What `init` brings into place: both databases without the components' own records, and the logins."""
    ask = ("exec", deployment.of("postgres")[0].id)
    tables = ("ab_*", "slot_pool", "*alembic_version*", "connection", "variable")
    chosen = [part for table in tables for part in ("-t", table)]
    found = {
        "database airflow": deployment.docker(
            *ask, "pg_dump", "-U", "postgres", "--inserts", *chosen, "airflow"
        ),
        "schema airflow": deployment.docker(*ask, "pg_dump", "-U", "postgres", "-s", "airflow"),
        "database ledger": deployment.docker(*ask, "pg_dump", "-U", "postgres", "--inserts", "ledger"),
        "logins": deployment.docker(
            *ask, "pg_dumpall", "-U", "postgres", "--roles-only", "--no-role-passwords"
        ),
    }
    # Newer dumps begin and end with a random word.
    return {what: re.sub(rb"(?m)^\\(un)?restrict .*\n", b"", dump) for what, dump in found.items()}


def check_second_init(deployment: Deployment) -> str:
    """`init` again: nothing that it brings into place differs afterwards."""
    before = installed_state(deployment)
    said = deployment.compose("run", "--rm", "-T", "--no-deps", "init").decode()
    after = installed_state(deployment)
    if changed := [what for what in before if before[what] != after[what]]:
        raise CheckFailed(f"a second init changed: {', '.join(changed)}", "init")
    return f"{said.count('in place')} steps, {len(before)} dumps are the same before and after"
