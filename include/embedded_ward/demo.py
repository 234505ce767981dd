"""`make demo`: one July cycle from the core system to proven erasure, told line by line.

Starts the embedded ward, triggers the cycle as the operator would, and watches it through the ledger's
read-only login and the REST API. Ends with the quantities that must agree and where to look.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from embedded_ward.layout import WardLayout
from embedded_ward.ward import NOTICE, EmbeddedWard
from notice_cycle import records as r
from notice_cycle.errors import NoticeCycleError
from notice_cycle.ledger.history import CycleHistory
from notice_cycle.stage import STAGES, Stage

RUN_ID = "demo-2026-annual"
_GIVE_UP_AFTER_SECONDS = 900.0
_LOOK_EVERY_SECONDS = 1.0


@dataclass
class StageResult:
    """One line of the progress and one item of summary.json."""

    stage: str
    seconds: float
    records: int
    bytes: int
    digest: str


class Demo:
    """The story of `make demo`."""

    def __init__(self, ward: EmbeddedWard) -> None:
        self.ward = ward
        self.began = time.monotonic()
        self.results: list[StageResult] = []
        self.peak_memory_mb = 0.0

    def run(self) -> dict[str, Any]:
        """Runs the cycle to its end and writes summary.json; gives its content."""
        self._say(
            "架空区を準備しています（PostgreSQL・委託先SFTP・メール・Airflow・架空の被保険者 70,000人）…"
        )
        self.ward.start()
        self._say(f"準備できました。画面: {self.ward.address}")
        self._wait_for_dag()
        self.ward.trigger(RUN_ID)
        self._say("納入通知書・普通徴収の当初処理を開始しました（架空データ）。")
        cycle = self._follow()
        summary = self._summary(cycle)
        target = self.ward.layout.root / "summary.json"
        target.write_text(json.dumps(summary, ensure_ascii=False, indent=1), encoding="utf-8")
        return summary

    def tell_where_to_look(self) -> None:
        """URL, users, mails, documents."""
        layout = self.ward.layout
        print("\n見るところ（すべて架空データ）")
        print(f"  画面        {self.ward.address}")
        for login in self.ward.airflow.roster:
            password = self.ward.secrets.user_passwords[login.name].get_secret_value()
            print(
                f"              {login.name:8} {password:28} {login.role}（{login.family_name} {login.given_name}）"
            )
        print(f"  メール      {layout.mail}（{len(list(layout.mail.glob('*.eml')))}通）")
        print(f"  委託先の机  {self.ward.desk}（渡したパスワード通知書）")
        print(f"  まとめ      {layout.root / 'summary.json'}")

    # ---- following the cycle

    def _follow(self) -> str:
        cycle: str | None = None
        told_waiting = ""
        until = time.monotonic() + _GIVE_UP_AFTER_SECONDS
        begun = time.monotonic()
        while len(self.results) < len(STAGES):
            self._check(until)
            cycle = cycle or self.ward.ledger.cycle_of_run(NOTICE, RUN_ID)
            if cycle:
                history = self.ward.ledger.history(cycle)
                for stage in STAGES[len(self.results) :]:
                    entry = history.entry_of(stage.records[-1])
                    if entry is None:
                        break
                    records, size = quantities(stage, history)
                    seconds = time.monotonic() - begun
                    begun = time.monotonic()
                    self.results.append(StageResult(stage.id, round(seconds, 1), records, size, entry.digest))
                    self._tell_stage(stage, self.results[-1])
            waiting = self._who_is_waited_for()
            if waiting and waiting != told_waiting:
                self._say(f"      … {waiting}")
            told_waiting = waiting or told_waiting
            time.sleep(_LOOK_EVERY_SECONDS)
        return str(cycle)

    def _tell_stage(self, stage: Stage, result: StageResult) -> None:
        number = len(self.results)
        self._say(
            f"{number:>2} {stage.label_ja:　<8} {result.records:>7,}件 {result.bytes:>11,}バイト {result.seconds:>5.1f}秒"
            f"  {result.digest[:12]}"
        )

    def _who_is_waited_for(self) -> str:
        """The task that waits for a person or the contractor, in the words of the UI."""
        waits = {"awaiting_input": "回答待ち", "up_for_reschedule": "到着待ち"}
        for task in self.ward.tasks(RUN_ID):
            if (state := task["state"]) in waits:
                return f"{task['task_display_name']}（{waits[state]}）"
        return ""

    def _check(self, until: float) -> None:
        self.peak_memory_mb = max(self.peak_memory_mb, self.ward.supervisor.proportional_memory_mb())
        if failed := [task for task in self.ward.tasks(RUN_ID) if task["state"] == "failed"]:
            raise DemoFailed(
                f"「{failed[0]['task_display_name']}」が失敗しました。ログ: {self.ward.layout.airflow_home}/logs"
            )
        if time.monotonic() > until:
            raise DemoFailed("時間内に終わりませんでした。")

    def _wait_for_dag(self) -> None:
        until = time.monotonic() + 60
        while not self.ward.knows_dag():
            if time.monotonic() > until:
                raise DemoFailed(
                    f"DAG を読み込めません。ログ: {self.ward.layout.airflow_home}/logs/dag_processor"
                )
            time.sleep(0.3)

    # ---- telling the end

    def _summary(self, cycle: str) -> dict[str, Any]:
        history = self.ward.ledger.history(cycle)
        rows = agreeing_quantities(history)
        print("\n数量の照合（すべて一致しなければなりません）")
        for label, number, expected in rows:
            print(
                f"  {label:　<22} {number:>9,}  {'一致' if number == expected else f'不一致（{expected:,}）'}"
            )
        verdict = self.ward.ledger.verify()
        left = self.ward.vault_files_left()
        print(f"  証跡台帳: {verdict.reason_ja}  一時保管領域に残るファイル: {left}")
        agree = all(number == expected for _, number, expected in rows)
        closed = history.find(r.ClosingRecord) is not None
        summary = {
            "cycle": cycle,
            "state": "closed" if closed else "open",
            "marking": "架空データ",
            "stages": [vars(result) for result in self.results],
            "seconds": round(time.monotonic() - self.began, 1),
            "quantities_agree": agree,
            "ledger_verified": verdict.holds,
            "vault_files_left": left,
            "peak_memory_mb": round(self.peak_memory_mb),
        }
        print(
            f"  {summary['seconds']}秒、最大メモリ {summary['peak_memory_mb']:,}MB（全プロセスの PSS 合計）"
        )
        return summary

    def _say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.began:6.1f}秒] {text}", flush=True)


class DemoFailed(Exception):
    """The cycle did not reach its end; the message says where."""


def quantities(stage: Stage, history: CycleHistory) -> tuple[int, int]:
    """How many notices (or files, for the last stage) and bytes a stage handled; (0, 0) for the opening."""
    extraction, composition = history.find(r.ExtractionRecord), history.find(r.CompositionRecord)
    encryption = history.find(r.EncryptionRecord)
    staged = extraction.staging.size_bytes if extraction else 0
    planned = composition.quantities.notices if composition else 0
    packed = sum(file.size_bytes for file in encryption.files) if encryption else 0
    destroyed = destruction.destroyed if (destruction := history.find(r.DestructionRecord)) else ()
    told: dict[str, tuple[Callable[[], int], int]] = {
        "extraction": (lambda: history.latest(r.ExtractionRecord).rows, staged),
        "validation": (lambda: history.latest(r.ValidationRecord).rules[0].checked, staged),
        "composition": (lambda: planned, composition.print_file.size_bytes if composition else 0),
        "encryption": (lambda: planned, packed),
        "handover": (lambda: planned, packed),
        "acknowledgement": (lambda: history.latest(r.ContentReceiptRecord).quantities.notices, packed),
        "delivery": (lambda: history.latest(r.DeliveryRecord).envelopes_delivered, 0),
        "erasure": (lambda: history.latest(r.ErasureRecord).notices, packed),
        "closing": (lambda: len(destroyed), sum(file.size_bytes for file in destroyed)),
    }
    count, size = told.get(stage.id, (lambda: 0, 0))
    return count(), size


def agreeing_quantities(history: CycleHistory) -> list[tuple[str, int, int]]:
    """(what, number, the number it must equal), from extraction to erasure."""
    extraction, composition = history.latest(r.ExtractionRecord), history.latest(r.CompositionRecord)
    delivery, content = history.latest(r.DeliveryRecord), history.latest(r.ContentReceiptRecord)
    planned, persons = composition.quantities, extraction.persons
    return [
        ("基幹系の統制票（人）", persons, persons),
        ("抽出（件）", extraction.rows, persons),
        ("検証（件）", history.latest(r.ValidationRecord).rules[0].checked, persons),
        (
            "印字データと差分一覧で除いた人（通）",
            planned.notices + sum(composition.excluded.values()),
            persons,
        ),
        ("委託先の計数（通）", content.quantities.notices, planned.notices),
        ("委託先の計数（封）", content.quantities.envelopes, planned.envelopes),
        (
            "印刷（枚、損紙と刷り直しを除く）",
            delivery.sheets_printed - 2 * delivery.sheets_spoiled,
            planned.sheets,
        ),
        ("納品（封）", delivery.envelopes_delivered, planned.envelopes),
        ("納品確認書（封）", history.latest(r.DeliveryConfirmationRecord).quantity, planned.envelopes),
        ("消去報告（件）", history.latest(r.ErasureRecord).notices, planned.notices),
    ]


def main() -> None:
    """EXIT=1 ends by itself; otherwise the UI stays up until Ctrl-C or `make down`."""
    ward = EmbeddedWard(WardLayout(), persons=int(os.environ.get("PERSONS", "70000")))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    demo = Demo(ward)
    code = 1
    try:
        summary = demo.run()
        ok = summary["state"] == "closed" and summary["quantities_agree"] and summary["ledger_verified"]
        code = 0 if ok and summary["vault_files_left"] == 0 else 1
        demo.tell_where_to_look()
        if os.environ.get("EXIT") != "1":
            print("\nCtrl-C または別の端末での make down で終了します。", flush=True)
            while ward.supervisor.records():  # until `make down` has ended them
                time.sleep(1)
    except (NoticeCycleError, DemoFailed) as stopped:
        print(f"\n{stopped}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\n終了します。")
    finally:
        ward.stop()
    sys.exit(code)


def down(root: Path | None = None) -> None:
    """Ends a demo that runs, from another terminal."""
    EmbeddedWard(WardLayout(root) if root else WardLayout()).stop()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    if sys.argv[1:] == ["down"]:
        down()
    else:
        main()
