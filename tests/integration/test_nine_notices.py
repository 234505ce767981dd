"""A clean ward of each notice passes every rule and reaches an encrypted package that the contractor's kit opens."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from tests.builders import CONFIG, SHONIN, SMALL_TOTAL_KEY
from tests.unit.contractor_kit.packages import key_pair, quick_encryption

from contractor_kit.opening import count_print_file, open_package
from contractor_kit.package_check import check_package
from notice_cycle.catalogue import resolve
from notice_cycle.composition.compose import compose
from notice_cycle.encryption import passphrase
from notice_cycle.encryption.package import encrypt_package
from notice_cycle.encryption.sshsig import AllowedSigners
from notice_cycle.encryption.wrapping import KeyEncryptionKey
from notice_cycle.exchange.package import MANIFEST_NAMESPACE
from notice_cycle.extraction.extract import extract
from notice_cycle.records import HandoverApprovalRecord
from notice_cycle.validation.validate import validate
from notice_cycle.vault import Vault
from notice_cycle.vault.names import PASSPHRASE
from synthetic_ward import NOTICE_ITEMS, Ward, as_table, batch_of

AT = datetime(2026, 7, 3, tzinfo=UTC)


@pytest.mark.parametrize("form", ["age", "zip-aes256"])
@pytest.mark.parametrize("notice", NOTICE_ITEMS)
def test_a_clean_ward_reaches_a_package_that_opens(
    small_ward: Ward, notice: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_encryption(monkeypatch)
    cycle, batch = f"2026-{notice}-annual-01", batch_of(notice, 2026)
    configuration = resolve(CONFIG, notice, 2026)
    terms = configuration.party.package.model_copy(update={"format": form})
    party = configuration.party.model_copy(update={"package": terms})
    configuration = configuration.model_copy(update={"party": party})
    vault = Vault(tmp_path / "vault", KeyEncryptionKey(bytes(32))).cycle(cycle)
    vault.create()
    rows: pa.Table = as_table(small_ward.notice(notice, batch), NOTICE_ITEMS[notice])
    extraction = extract(
        small_ward.control(notice, batch),
        rows.to_reader(),
        configuration.notice,
        vault,
        small_total_key=SMALL_TOTAL_KEY,
    )
    validation = validate(extraction, configuration, vault)
    assert [rule.rule for rule in validation.rules if not rule.holds] == []
    composition = compose(
        extraction,
        validation,
        configuration,
        vault,
        cycle=cycle,
        synthetic=True,
        small_total_key=SMALL_TOTAL_KEY,
    )
    assert composition.quantities.notices == len(rows)
    key, line = key_pair(tmp_path / "ward_key")
    approval = HandoverApprovalRecord(
        approved_by=SHONIN, approved_at=AT, print_file_sha256=composition.print_file.sha256
    )
    encrypt_package(
        composition,
        approval,
        configuration,
        vault,
        outbox=tmp_path / "outbox",
        signing_key=key,
        cycle=cycle,
        number=1,
        synthetic=True,
        at=AT,
    )
    signers = AllowedSigners.parse(f'ward namespaces="{MANIFEST_NAMESPACE}" {line}\n')
    package = check_package(tmp_path / "outbox" / cycle, signers, "ward")
    secret = passphrase.parse(vault.secret(PASSPHRASE).decode())
    opened = open_package(package, secret, tmp_path, synthetic=True)
    counted = count_print_file(opened, package.manifest)
    assert counted.quantities == composition.quantities == package.manifest.quantities
    assert counted.totals_yen == package.manifest.totals_yen
    assert counted.unreadable_characters == 0
