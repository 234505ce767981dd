"""What the contractor says is compared with what was composed, handed over and delivered; each difference stops."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.builders import (
    CONTRACTOR,
    CYCLE,
    OPENED_AT,
    SMALL_TOTAL_KEY,
    ACycle,
    a_content_receipt,
    a_cycle,
    a_delivery_report,
    a_digest,
    a_file,
    a_print_line,
    a_print_log,
    a_receipt,
    an_erased_copy,
    an_erasure_certificate,
    an_erasure_report,
    the_configuration,
)

from notice_cycle import records as r
from notice_cycle.acknowledgement.receipts import verify_content_receipt, verify_receipt
from notice_cycle.acknowledgement.wipe import wipe_staging
from notice_cycle.delivery.reconcile import verify_delivery
from notice_cycle.erasure.verify import verify_erasure
from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange import messages as m
from notice_cycle.handover.route import packages_that_left
from notice_cycle.values import sha256
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import (
    CYCLE_KEY,
    DISPATCH_INDEX,
    FINDINGS,
    PASSPHRASE,
    PRINT_FILE,
    STAGED,
    TOTALS,
)

CYCLE_OF_FORTY = a_cycle()
FILES = {file.name: file.sha256 for file in CYCLE_OF_FORTY[r.HandoverRecord].files}


class TestReceipt:
    def judged(self, receipt: m.Receipt) -> r.ReceiptRecord:
        cycle = CYCLE_OF_FORTY
        return verify_receipt(
            cycle[r.HandoverRecord],
            cycle[r.EncryptionRecord],
            receipt,
            message_sha256=a_digest("message"),
            signed_by=CONTRACTOR,
        )

    def test_the_same_files_are_acknowledged(self) -> None:
        record = self.judged(a_receipt(CYCLE_OF_FORTY))
        assert (record.message_sha256, record.received_by) == (a_digest("message"), "受領 太郎")

    @pytest.mark.parametrize(
        "changes",
        [
            {"manifest_sha256": a_digest("another package")},
            {"files": {}},
            {"files": dict(list(FILES.items())[1:])},
            {"files": FILES | {"more.txt": a_digest("more")}},
            *({"files": FILES | {name: a_digest("other")}} for name in FILES),
        ],
        ids=["package", "no file", "a file less", "a file more", *FILES],
    )
    def test_a_receipt_for_anything_else_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(Altered, match="引き渡したファイルと一致しません"):
            self.judged(a_receipt(CYCLE_OF_FORTY, **changes))


class TestContentReceipt:
    def judged(self, receipt: m.ContentReceipt, cycle: ACycle = CYCLE_OF_FORTY) -> r.ContentReceiptRecord:
        return verify_content_receipt(
            cycle[r.CompositionRecord],
            cycle[r.EncryptionRecord],
            receipt,
            the_configuration(),
            message_sha256=a_digest("message"),
            signed_by=CONTRACTOR,
            small_total_key=SMALL_TOTAL_KEY,
        )

    def test_the_same_counts_are_acknowledged(self) -> None:
        record = self.judged(a_content_receipt(CYCLE_OF_FORTY))
        assert record.quantities == CYCLE_OF_FORTY[r.CompositionRecord].quantities

    @pytest.mark.parametrize("field", ["manifest_sha256", "print_file_sha256"])
    def test_another_package_or_print_file_is_refused(self, field: str) -> None:
        with pytest.raises(Altered, match="ダイジェスト"):
            self.judged(a_content_receipt(CYCLE_OF_FORTY, **{field: a_digest("other")}))

    @pytest.mark.parametrize("quantity", ["persons", "notices", "envelopes", "sheets"])
    @pytest.mark.parametrize("more", [1, -1])
    def test_one_more_or_less_is_refused(self, quantity: str, more: int) -> None:
        counted = CYCLE_OF_FORTY[r.CompositionRecord].quantities
        other = counted.model_copy(update={quantity: getattr(counted, quantity) + more})
        with pytest.raises(Refused, match="件数または合計額が一致しません"):
            self.judged(a_content_receipt(CYCLE_OF_FORTY, quantities=other))

    def test_one_yen_more_is_refused_without_telling_the_amount(self) -> None:
        with pytest.raises(Refused, match="件数または合計額が一致しません") as caught:
            self.judged(a_content_receipt(CYCLE_OF_FORTY, total_yen=2_345_601))
        assert "2,345" not in str(caught.value)
        assert "2345" not in str(caught.value)

    def test_a_small_cycles_hidden_total_is_compared_too(self) -> None:
        small = a_cycle(persons=3, total_yen=217_800)
        self.judged(a_content_receipt(small, total_yen=217_800), small)
        with pytest.raises(Refused, match="合計額"):
            self.judged(a_content_receipt(small, total_yen=217_900), small)

    def test_unreadable_characters_are_counted_and_refused(self) -> None:
        with pytest.raises(Refused, match="読めない文字が3件"):
            self.judged(a_content_receipt(CYCLE_OF_FORTY, unreadable_characters=3))


class TestDelivery:
    def judged(
        self, log: m.PrintLog | None = None, report: m.DeliveryReport | None = None
    ) -> r.DeliveryRecord:
        cycle = CYCLE_OF_FORTY
        return verify_delivery(
            cycle[r.CompositionRecord],
            cycle[r.EncryptionRecord],
            log or a_print_log(cycle),
            report or a_delivery_report(cycle),
            log_sha256=a_digest("log"),
            report_sha256=a_digest("report"),
            signed_by=CONTRACTOR,
        )

    def lines(self, **sheets: int) -> m.PrintLog:
        return a_print_log(
            CYCLE_OF_FORTY,
            *(
                a_print_line(
                    CYCLE_OF_FORTY,
                    purpose=purpose,
                    sheets=count,
                    reason="" if purpose == "planned" else "紙詰まり",
                )
                for purpose, count in sheets.items()
            ),
        )

    def test_what_was_planned_was_printed_and_delivered(self) -> None:
        record = self.judged()
        assert (record.sheets_printed, record.envelopes_delivered, record.lots) == (40, 39, 1)

    def test_spoilage_printed_again_and_tests_are_no_difference(self) -> None:
        record = self.judged(
            self.lines(planned=40, spoilage=2, reprint=2, test=3),
            a_delivery_report(CYCLE_OF_FORTY, sheets_spoiled=2),
        )
        assert (record.sheets_printed, record.sheets_spoiled) == (47, 2)

    def test_several_jobs_and_lots_add_up(self) -> None:
        log = a_print_log(
            CYCLE_OF_FORTY, a_print_line(CYCLE_OF_FORTY, sheets=25), a_print_line(CYCLE_OF_FORTY, sheets=15)
        )
        lots = (m.Lot(lot="1", envelopes=20), m.Lot(lot="2", envelopes=19))
        assert self.judged(log, a_delivery_report(CYCLE_OF_FORTY, lots=lots)).lots == 2

    @pytest.mark.parametrize(
        ("sheets", "spoiled", "difference"),
        [
            ({"planned": 39}, 0, "計画 40枚、印刷ログ 39枚"),
            ({"planned": 41}, 0, "計画 40枚、印刷ログ 41枚"),
            ({"reprint": 1}, 0, "計画 40枚、印刷ログ 0枚"),
            ({"planned": 40, "reprint": 1}, 0, "損紙 0枚、刷り直し 1枚"),
            ({"planned": 40, "spoilage": 1}, 1, "損紙 1枚、刷り直し 0枚"),
            ({"planned": 40, "spoilage": 2, "reprint": 2}, 1, "損紙の報告 1枚"),
            ({"planned": 40}, 1, "損紙の報告 1枚、印刷ログの損紙 0枚"),
        ],
    )
    def test_a_difference_of_sheets_is_named_by_count(
        self, sheets: dict[str, int], spoiled: int, difference: str
    ) -> None:
        with pytest.raises(Refused, match=difference):
            self.judged(self.lines(**sheets), a_delivery_report(CYCLE_OF_FORTY, sheets_spoiled=spoiled))

    @pytest.mark.parametrize("envelopes", [38, 40, 0])
    def test_a_difference_of_envelopes_is_named_by_count(self, envelopes: int) -> None:
        lots = (m.Lot(lot="1", envelopes=envelopes),)
        with pytest.raises(Refused, match=f"計画 39封、納品 {envelopes}封"):
            self.judged(report=a_delivery_report(CYCLE_OF_FORTY, lots=lots))

    @pytest.mark.parametrize("purpose", ["spoilage", "test", "reprint"])
    @pytest.mark.parametrize("reason", ["", "  ", "　"])
    def test_more_than_planned_needs_a_reason(self, purpose: str, reason: str) -> None:
        log = a_print_log(
            CYCLE_OF_FORTY,
            a_print_line(CYCLE_OF_FORTY),
            a_print_line(CYCLE_OF_FORTY, purpose=purpose, sheets=1, reason=reason),
        )
        with pytest.raises(Refused, match="計画を超える印刷の理由がない"):
            self.judged(log)

    def test_a_print_file_of_another_cycle_is_refused(self) -> None:
        log = a_print_log(CYCLE_OF_FORTY, a_print_line(CYCLE_OF_FORTY, print_file="other.csv"))
        with pytest.raises(Refused, match="この発送回のものでない印刷ファイル名"):
            self.judged(log)

    def test_log_or_report_of_another_package_is_refused(self) -> None:
        other = {"manifest_sha256": a_digest("other")}
        for log, report in (
            (a_print_log(CYCLE_OF_FORTY, **other), None),
            (None, a_delivery_report(CYCLE_OF_FORTY, **other)),
            (a_print_log(CYCLE_OF_FORTY, **other), a_delivery_report(CYCLE_OF_FORTY, **other)),
        ):
            with pytest.raises(Refused, match="別のパッケージ"):
                self.judged(log, report)


class TestErasure:
    ENCRYPTED = CYCLE_OF_FORTY[r.EncryptionRecord].files[0].sha256
    OPENED = CYCLE_OF_FORTY[r.CompositionRecord].print_file.sha256

    def judged(
        self,
        report: m.ErasureReport,
        *,
        also_begun: Sequence[r.HandoverBegun] = (),
        also_opened: Sequence[r.ContentReceiptRecord] = (),
        beyond: Sequence[r.PackageBeyond] = (),
        **certificate: Any,
    ) -> r.ErasureRecord:
        cycle = CYCLE_OF_FORTY
        return verify_erasure(
            cycle[r.CompositionRecord],
            cycle[r.EncryptionRecord],
            cycle[r.DeliveryConfirmationRecord],
            report,
            an_erasure_certificate(cycle, report, **certificate),
            left=packages_that_left(cycle.noting(*also_begun).history(), list(beyond)),
            opened=[*also_opened, cycle[r.ContentReceiptRecord]],
            report_sha256=sha256(report.content()),
            certificate_sha256=a_digest("certificate"),
            signed_by=CONTRACTOR,
        )

    def test_every_copy_erased_and_certified_is_kept(self) -> None:
        last = OPENED_AT + timedelta(days=9)
        report = an_erasure_report(
            CYCLE_OF_FORTY,
            an_erased_copy(self.ENCRYPTED),
            an_erased_copy(self.OPENED, erased_at=last),
            an_erased_copy(self.OPENED, place="BACKUP-01"),
        )
        record = self.judged(report)
        assert (record.copies_erased, record.notices, record.erased_at) == (3, 40, last)

    @pytest.mark.parametrize(
        ("held", "missing"),
        [
            (["OPENED"], f"、暗号化された印字データ {CYCLE}-p1.csv.ageの消去がありません"),
            (["ENCRYPTED"], "、開いた印字データの消去がありません"),
            ([], "開いた印字データと暗号化された印字データ"),
        ],
    )
    def test_a_copy_that_is_missing_is_named(self, held: list[str], missing: str) -> None:
        copies = [an_erased_copy(getattr(self, name)) for name in held] or [an_erased_copy(a_digest("else"))]
        with pytest.raises(Refused, match=missing):
            self.judged(an_erasure_report(CYCLE_OF_FORTY, *copies))

    def test_a_package_that_was_only_begun_to_be_sent_must_be_erased_too(self) -> None:
        first = a_file(f"{CYCLE}-p0.csv.age", b"replaced")
        begun = r.HandoverBegun(
            package=f"{CYCLE}-p1", route="lgwan", encrypted_file=first, begun_at=OPENED_AT
        )
        with pytest.raises(Refused, match=r"p0\.csv\.ageの消去がありません"):
            self.judged(an_erasure_report(CYCLE_OF_FORTY), also_begun=[begun])
        copies = (an_erased_copy(digest) for digest in (first.sha256, self.ENCRYPTED, self.OPENED))
        assert self.judged(an_erasure_report(CYCLE_OF_FORTY, *copies), also_begun=[begun]).copies_erased == 3

    def test_a_package_that_a_restored_ledger_forgot_must_be_erased_too(self) -> None:
        package = f"{CYCLE}-p9"
        forgotten = a_file(f"{package}.csv.age", b"handed over and forgotten")
        beyond = [r.PackageBeyond(package=package, encrypted_file=forgotten)]
        with pytest.raises(Refused, match=r"p9\.csv\.ageの消去がありません"):
            self.judged(an_erasure_report(CYCLE_OF_FORTY), beyond=beyond)
        copies = (an_erased_copy(digest) for digest in (forgotten.sha256, self.ENCRYPTED, self.OPENED))
        assert self.judged(an_erasure_report(CYCLE_OF_FORTY, *copies), beyond=beyond).copies_erased == 3

    def test_another_number_of_notices_is_refused(self) -> None:
        with pytest.raises(Refused, match="引渡し 40件、消去 39件"):
            self.judged(an_erasure_report(CYCLE_OF_FORTY, notices=39))

    @pytest.mark.parametrize("which", [0, 1])
    def test_a_copy_erased_before_the_delivery_is_refused(self, which: int) -> None:
        delivered = CYCLE_OF_FORTY[r.DeliveryConfirmationRecord].delivered_at
        times = [delivered, delivered]
        self.judged(self._erased_at(times))
        times[which] -= timedelta(seconds=1)
        with pytest.raises(Refused, match="納品より前に消去された"):
            self.judged(self._erased_at(times))

    def _erased_at(self, times: list[Any]) -> m.ErasureReport:
        copies = [
            an_erased_copy(digest, erased_at=at)
            for digest, at in zip((self.ENCRYPTED, self.OPENED), times, strict=True)
        ]
        return an_erasure_report(CYCLE_OF_FORTY, *copies)

    def test_a_certificate_of_another_report_is_refused(self) -> None:
        with pytest.raises(Refused, match="届いた消去報告書についてのものではありません"):
            self.judged(an_erasure_report(CYCLE_OF_FORTY), report_sha256=a_digest("other"))

    def test_report_or_certificate_of_another_package_is_refused(self) -> None:
        with pytest.raises(Refused, match="別のパッケージ"):
            self.judged(an_erasure_report(CYCLE_OF_FORTY, manifest_sha256=a_digest("other")))
        with pytest.raises(Refused, match="別のパッケージ"):
            self.judged(an_erasure_report(CYCLE_OF_FORTY), manifest_sha256=a_digest("other"))


class TestWipingStaging:
    def test_only_the_index_and_the_keys_stay(self, vault: CycleVault) -> None:
        for name in (STAGED, FINDINGS, PRINT_FILE, TOTALS, DISPATCH_INDEX):
            with vault.writing(name) as artefact:
                artefact.buffer.write(name.encode())
        vault.keep_secret(PASSPHRASE, b"words")
        with pytest.raises(ZeroDivisionError), vault.writing("half.csv"):
            _ = 1 // 0
        record = wipe_staging(vault, at=OPENED_AT)
        assert {file.name for file in record.wiped} == {
            STAGED,
            FINDINGS,
            PRINT_FILE,
            TOTALS,
            "half.csv.partial",
        }
        assert set(record.kept) == set(vault.names()) == {DISPATCH_INDEX, PASSPHRASE, CYCLE_KEY}
        with vault.reading(DISPATCH_INDEX) as index:
            assert index.read() == DISPATCH_INDEX.encode()

    def test_wiping_twice_wipes_nothing_the_second_time(self, vault: CycleVault) -> None:
        wipe_staging(vault, at=OPENED_AT)
        assert wipe_staging(vault, at=OPENED_AT).wiped == ()
