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
    an_erasure_report,
    every_copy_erased,
    the_configuration,
)
from tests.unit.copies.told import SUBCONTRACTOR, a_declaration, a_declared_copy, a_proof, a_transfer

from notice_cycle import records as r
from notice_cycle.acknowledgement.receipts import verify_content_receipt, verify_receipt
from notice_cycle.acknowledgement.wipe import wipe_staging
from notice_cycle.delivery.reconcile import verify_delivery
from notice_cycle.erasure.verify import Proof, verify_erasure
from notice_cycle.errors import Altered, Refused
from notice_cycle.exchange import messages as m
from notice_cycle.handover.route import packages_that_left
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
        self, log: m.PrintLog | None = None, report: m.DeliveryReport | None = None, **agreed: Any
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
            **agreed,
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

    def test_taken_literally_every_job_of_two_sheets_needs_a_reason(self) -> None:
        without = a_print_log(CYCLE_OF_FORTY, a_print_line(CYCLE_OF_FORTY))
        assert self.judged(without).reasons == "per_item"
        with pytest.raises(Refused, match="2枚以上の印刷の理由がない"):
            self.judged(without, reasons="literal")
        single = [a_print_line(CYCLE_OF_FORTY, sheets=1)] * 40
        assert self.judged(a_print_log(CYCLE_OF_FORTY, *single), reasons="literal").reasons == "literal"
        told = a_print_log(CYCLE_OF_FORTY, a_print_line(CYCLE_OF_FORTY, reason="発送回の印刷"))
        assert self.judged(told, reasons="literal").reasons == "literal"

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
    BEFORE = CYCLE_OF_FORTY.up_to(r.DeliveryConfirmationRecord)

    def judged(
        self,
        report: m.ErasureReport,
        *further: Proof,
        beside: Sequence[r.Fact] = (),
        beyond: Sequence[r.PackageBeyond] = (),
        **certificate: Any,
    ) -> r.ErasureRecord:
        own = a_proof(self.BEFORE, report, **certificate)
        history = self.BEFORE.noting(*beside).history()
        left = packages_that_left(history, list(beyond))
        return verify_erasure(history, [own, *further], left=left, beyond=list(beyond))

    def refusal(self, report: m.ErasureReport, *further: Proof, **known: Any) -> str:
        with pytest.raises(Refused) as caught:
            self.judged(report, *further, **known)
        return caught.value.message

    def test_every_copy_erased_and_certified_is_kept(self) -> None:
        last = OPENED_AT + timedelta(days=5, hours=9)
        copies = every_copy_erased(CYCLE_OF_FORTY)
        late = an_erased_copy(self.OPENED, place="BACKUP-01", erased_at=last)
        record = self.judged(an_erasure_report(CYCLE_OF_FORTY, *copies, late))
        assert (record.copies_erased, record.notices, record.erased_at) == (4, 40, last)
        (proof,) = record.parties
        assert [copy.place for copy in proof.copies] == ["受け口", "PRINT-01", "PRINT-01", "BACKUP-01"]

    @pytest.mark.parametrize(
        ("reported", "missing"),
        [
            ([0, 1], "消去報告書に、開いた印字データの消去がありません"),
            ([2], f"暗号化された印字データ {CYCLE}-p1.csv.ageの消去がありません"),
            ([1, 2], "サーバー（sftp.print.example）にある暗号化された印字データの消去がありません"),
            ([0, 2], "パソコン（場所の届出なし）にある暗号化された印字データの消去がありません"),
        ],
    )
    def test_a_copy_that_is_missing_is_named(self, reported: list[int], missing: str) -> None:
        copies = every_copy_erased(CYCLE_OF_FORTY)
        assert missing in self.refusal(an_erasure_report(CYCLE_OF_FORTY, *(copies[one] for one in reported)))

    def test_everything_that_is_wrong_is_told_at_once(self) -> None:
        copies = (
            an_erased_copy(self.OPENED, method="clear"),
            an_erased_copy(self.ENCRYPTED, operator="立会 五郎", serial_number=" "),
        )
        told = self.refusal(
            an_erasure_report(CYCLE_OF_FORTY, *copies, notices=39, backups="　"),
            addressed_to=("乙",),
            certified_at=OPENED_AT + timedelta(days=4),
        )
        for sentence in (
            "誤りが8件あります",
            "サーバー（sftp.print.example）にある",
            "引渡し 40件、消去 39件",
            "1件目の消去の方法（消去 clear）は、パソコンには認められません",
            "2件目の製造番号が空白です",
            "2件目の立会人が、消去した者と同じです",
            "バックアップについての記載がありません",
            "証明の日時が、最後の消去より前です",
            "あて先に甲がありません",
        ):
            assert sentence in told

    def test_an_erasure_that_ends_before_it_starts_is_refused(self) -> None:
        copies = every_copy_erased(CYCLE_OF_FORTY, started_at=OPENED_AT + timedelta(days=6))
        assert "1件目の消去の開始が、終了より後です" in self.refusal(
            an_erasure_report(CYCLE_OF_FORTY, *copies)
        )

    @pytest.mark.parametrize(
        ("carrier", "method", "is_enough"),
        [
            ("パソコン", "clear", False),
            ("パソコン", "purge", True),
            ("パソコン", "destroy", True),
            ("サーバー", "clear", True),
            ("DVD", "purge", False),
            ("DVD", "destroy", True),
            ("紙", "clear", False),
            ("その他", "purge", False),
            ("クラウド", "purge", False),
            ("クラウド", "destroy", True),
        ],
    )
    def test_the_class_of_erasure_that_is_enough_is_told_by_the_carrier(
        self, carrier: str, method: str, is_enough: bool
    ) -> None:
        assert the_configuration().erasure.is_enough(carrier, method) is is_enough
        assert "800-88" in the_configuration().erasure.source

    def test_a_package_that_was_only_begun_to_be_sent_must_be_erased_too(self) -> None:
        first = a_file(f"{CYCLE}-p0.csv.age", b"replaced")
        begun = r.HandoverBegun(
            package=f"{CYCLE}-p1", route="lgwan", encrypted_file=first, begun_at=OPENED_AT
        )
        told = self.refusal(an_erasure_report(CYCLE_OF_FORTY), beside=[begun])
        assert "p0.csv.ageの消去がありません" in told
        on_host = an_erased_copy(first.sha256, carrier="サーバー", place="受け口")
        report = an_erasure_report(CYCLE_OF_FORTY, *every_copy_erased(CYCLE_OF_FORTY), on_host)
        assert self.judged(report, beside=[begun]).copies_erased == 4

    def test_a_package_that_a_restored_ledger_forgot_must_be_erased_too(self) -> None:
        package = f"{CYCLE}-p9"
        forgotten = a_file(f"{package}.csv.age", b"handed over and forgotten")
        beyond = [r.PackageBeyond(package=package, encrypted_file=forgotten)]
        assert "p9.csv.ageの消去がありません" in self.refusal(
            an_erasure_report(CYCLE_OF_FORTY), beyond=beyond
        )
        on_host = an_erased_copy(forgotten.sha256, carrier="サーバー", place="受け口")
        report = an_erasure_report(CYCLE_OF_FORTY, *every_copy_erased(CYCLE_OF_FORTY), on_host)
        assert self.judged(report, beyond=beyond).copies_erased == 4

    def test_a_declared_copy_must_be_erased_where_it_was_declared(self) -> None:
        backup = a_declaration(a_declared_copy(self.OPENED, place="BACKUP-01", purpose="backup"))
        told = self.refusal(an_erasure_report(CYCLE_OF_FORTY), beside=[backup])
        assert "パソコン（BACKUP-01）にある予備の控えの消去がありません" in told
        report = an_erasure_report(
            CYCLE_OF_FORTY, *every_copy_erased(CYCLE_OF_FORTY), an_erased_copy(self.OPENED, place="BACKUP-01")
        )
        assert self.judged(report, beside=[backup]).copies_erased == 4

    def test_a_subcontractor_that_was_given_the_file_proves_its_erasure_too(self) -> None:
        moved = a_transfer(self.OPENED)
        report = an_erasure_report(CYCLE_OF_FORTY)
        assert f"届いていない事業者があります（{SUBCONTRACTOR}）" in self.refusal(report, beside=[moved])
        theirs = an_erasure_report(
            CYCLE_OF_FORTY, an_erased_copy(self.OPENED, place="INSERT-PC-1"), backups="控えなし"
        )
        only_to_the_ward = a_proof(CYCLE_OF_FORTY, theirs, party=SUBCONTRACTOR, addressed_to=("甲",))
        told = self.refusal(report, only_to_the_ward, beside=[moved])
        assert told == f"{SUBCONTRACTOR}の消去証明書のあて先に乙がありません。"
        to_both = a_proof(CYCLE_OF_FORTY, theirs, party=SUBCONTRACTOR, addressed_to=("甲", "乙"))
        record = self.judged(report, to_both, beside=[moved])
        assert [proof.party for proof in record.parties] == [CONTRACTOR, SUBCONTRACTOR]

    def test_another_number_of_notices_is_refused(self) -> None:
        assert "引渡し 40件、消去 39件" in self.refusal(an_erasure_report(CYCLE_OF_FORTY, notices=39))

    @pytest.mark.parametrize("which", [0, 1, 2])
    def test_a_copy_erased_before_the_delivery_is_refused(self, which: int) -> None:
        delivered = CYCLE_OF_FORTY[r.DeliveryConfirmationRecord].delivered_at
        copies = list(every_copy_erased(CYCLE_OF_FORTY, erased_at=delivered))
        self.judged(an_erasure_report(CYCLE_OF_FORTY, *copies))
        copies[which] = copies[which].model_copy(update={"erased_at": delivered - timedelta(seconds=1)})
        assert "納品より前に消去された" in self.refusal(an_erasure_report(CYCLE_OF_FORTY, *copies))

    def test_a_certificate_of_another_report_is_refused(self) -> None:
        told = self.refusal(an_erasure_report(CYCLE_OF_FORTY), report_sha256=a_digest("other"))
        assert "届いた消去報告書についてのものではありません" in told

    def test_report_or_certificate_of_another_package_is_refused(self) -> None:
        other = {"manifest_sha256": a_digest("other")}
        assert "別のパッケージ" in self.refusal(an_erasure_report(CYCLE_OF_FORTY, **other))
        assert "別のパッケージ" in self.refusal(an_erasure_report(CYCLE_OF_FORTY), **other)


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
