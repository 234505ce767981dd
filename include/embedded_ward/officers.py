"""The scripted officers of the demo: they answer forms through Airflow's REST API, each as their own user.

A separate process that has the officers' passwords, the web UI's address, the print tray, the outbox, the ward's
reply desk and the contractor's desk, and nothing else. It carries paper, discs and uploads to the contractor's desk and
answers back from it, counts what the forms show, and answers. What it says that it compared, it has compared.
"""

import argparse
import hashlib
import json
import re
import shutil
import ssl
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from embedded_ward.desk import ANSWERS, DISCS, PAGE, RETURNED
from notice_cycle import clock
from notice_cycle.forms import tokyo

_LOOK_EVERY_SECONDS = 1.0
_ANSWER_AFTER = timedelta(
    seconds=2.5
)  # Airflow 3.3 may lose an answer that comes while the form is being parked
_UNANSWERED = "/api/v2/dags/~/dagRuns/~/hitlDetails?response_received=false"


@dataclass
class Officer:
    """One person with a login. The token is renewed when it has run out."""

    name: str
    password: str
    address: str
    authority: Path | None = None
    """The certificate that the web UI's is signed by, when the machine does not know it."""
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        trusted = ssl.create_default_context(cafile=self.authority) if self.authority else True
        self.http = httpx.Client(base_url=self.address, timeout=30.0, trust_env=False, verify=trusted)

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """One call as this person, logging in first when needed."""
        response = self.http.request(method, path, json=body)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            login = self.http.post("/auth/token", json={"username": self.name, "password": self.password})
            login.raise_for_status()
            self.http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            response = self.http.request(method, path, json=body)
        return response


@dataclass(frozen=True)
class WaitingForm:
    """A form that nobody has answered: where it is, what it says and since when it waits."""

    path: str
    subject: str
    body: str
    cycle: str
    since: datetime

    @classmethod
    def from_detail(cls, detail: dict[str, Any]) -> "WaitingForm":
        """Reads the API's answer."""
        instance = detail["task_instance"]
        path = "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/hitlDetails"
        body = detail["body"] or ""
        cycle = re.search(r"\*\*発送回\*\* (\S+)", body)
        return cls(
            path=path.format(**instance),
            subject=detail["subject"],
            body=body,
            cycle=cycle.group(1) if cycle else "",
            since=datetime.fromisoformat(detail["created_at"]),
        )


Answer = tuple[str, str, dict[str, str | None]]
"""Who answers, the option, the fields."""

SAFE, CABINET = "架空印刷 第一工場 金庫", "架空印刷 管理部 鍵付キャビネット"
_PULLOUT_APPROVAL, _APPROVED = "引抜き・差替えの依頼の承認", "承認する"
_PULLOUTS = "/api/v2/dags/pull_out/dagRuns/~/hitlDetails?response_received=true&limit=100"
_ROW = re.compile(r"^\| (\S+) \|.*`([0-9a-f]{64})`", re.MULTILINE)


@dataclass(frozen=True)
class Places:
    """The folders an officer reaches. `replies`: the ward's desk for answers that do not come over LGWAN."""

    tray: Path
    desk: Path
    outbox: Path
    replies: Path


class Script:
    """What the officers do when a form asks them."""

    def __init__(self, officers: dict[str, Officer], places: Places) -> None:
        self.officers, self.places = officers, places
        self.tray, self.desk = places.tray, places.desk
        self._given_back: dict[str, tuple[int, int]] = {}
        self._known: dict[str, Callable[[WaitingForm], Answer | None]] = {
            "年度設定確認": self._confirm_year_settings,
            "検証確認": self._confirm_validation,
            "引渡し承認": self._approve_handover,
            "アップロードの記録": self._upload,
            "媒体引渡確認書": self._hand_over_discs,
            "パスワード引渡確認書": self._hand_over_passphrase,
            "納品確認書": self._confirm_delivery,
            "消去確認": self._confirm_erasure,
            "返却確認書": self._take_back,
            "引抜き・差替えの依頼の確認": self._check_pullout,
            _PULLOUT_APPROVAL: self._approve_pullout,
        }

    def look(self) -> None:
        """Takes along what lies on the contractor's desk for the ward, and answers every form that has waited long enough."""
        carry_answers(self.desk / ANSWERS, self.places.replies)
        found = self.officers["tanto1"].request("GET", _UNANSWERED)
        found.raise_for_status()
        for detail in found.json()["hitl_details"]:
            form = WaitingForm.from_detail(detail)
            if datetime.now(UTC) - form.since >= _ANSWER_AFTER:
                self._answer(form)

    def _answer(self, form: WaitingForm) -> None:
        script = self._known.get(form.subject)
        decided = script(form) if script else None
        if decided is None:
            return
        who, option, fields = decided
        answer = {"chosen_options": [option], "params_input": fields}
        response = self.officers[who].request("PATCH", form.path, answer)
        print(f"{form.subject}: {who} → {option} ({response.status_code})", flush=True)
        if form.subject == "納品確認書" and response.is_success:
            (self.desk / f"delivery-accepted-{form.cycle}").touch()  # the receipt the driver takes back
        if form.subject == "返却確認書" and response.is_success:
            for path in (self.desk / RETURNED).glob(f"{form.cycle}-*"):
                path.unlink()  # shredded

    def _confirm_year_settings(self, form: WaitingForm) -> Answer:
        return "shonin", "確認した", {"papers": "架空区介護保険条例（令和8年3月改正）"}

    def _confirm_validation(self, form: WaitingForm) -> Answer:
        for paper in self.tray.glob(f"{form.cycle}-FL*.pdf"):
            paper.unlink()  # read, compared with the register of protected persons, and shredded
        return "tanto1", "確認した", {"reason": None}

    def _approve_handover(self, form: WaitingForm) -> Answer:
        return "shonin", _APPROVED, {"reason": None}

    def _check_pullout(self, form: WaitingForm) -> Answer:
        return "tanto1", "確認した", {}

    def _approve_pullout(self, form: WaitingForm) -> Answer:
        return "shonin", _APPROVED, {}

    def _upload(self, form: WaitingForm) -> Answer | None:
        """The files from the outbox to the contractor's page, by way of the intranet PC."""
        files = dict(_ROW.findall(form.body))
        package = next(iter(files)).split(".")[0]
        with tempfile.TemporaryDirectory(prefix="intranet-pc-") as computer:
            here = Path(computer) / package
            if not _copied(self.places.outbox / form.cycle, files, here):
                return None
            uploaded_at, uploading = tokyo(clock.now()), self.desk / PAGE / f".{package}"
            if not (self.desk / PAGE / package).exists():
                shutil.copytree(here, uploading, dirs_exist_ok=True)
                uploading.rename(self.desk / PAGE / package)
        return (
            "tanto1",
            "アップロードした",
            {
                "uploaded_at": uploaded_at,
                "computer": "INTRA-012",
                "uploader": "青木 一郎",
                "remote_folder": package,
                "digest_compared": "送信前に照合した",
                "listing": "4つのファイルが正しい名前で並んだ",
                "deleted_at": tokyo(clock.now()),
            },
        )

    def _hand_over_discs(self, form: WaitingForm) -> Answer | None:
        """Each image onto a disc, which is read back, to the contractor; he is told which package not to use."""
        rows = dict(_ROW.findall(form.body))
        earlier = {name: digest for name, digest in rows.items() if re.search(r"-p[0-9]+$", name)}
        if "**引き上げていない**" in form.body:
            return None  # somebody has to ask the contractor for it in writing
        discs = {f"{label}.iso": digest for label, digest in rows.items() if label not in earlier}
        if not _copied(self.places.outbox / form.cycle, discs, self.desk / DISCS):
            return None
        self._file_confirmations(form.cycle)
        for paper in (
            *self.tray.glob(f"{form.cycle}-p*盤面ラベル.pdf"),
            *self.tray.glob(f"{form.cycle}-p*送付票.pdf"),
        ):
            paper.unlink()  # stuck on the disc; goes with it
        for package, digest in earlier.items():
            (self.desk / f"withdrawn-{package}").write_text(digest, encoding="ascii")
        return (
            "tanto2",
            "引き渡した",
            {
                "handed_at": tokyo(clock.now()),
                "giver": "石川 恵",
                "taker": "印刷 次郎",
                "quantity": str(len(discs)),
                "means": "手渡し",
                "tracking_number": None,
                "burnt_at": "架空区役所 情報システム課 機械室",
                "read_back": "一致した",
                "kept_in_safe": SAFE,
                "notice_kept_in": CABINET,
                "lgwan_copy": "引き上げた" if earlier else "送っていない",
                "signed_by": "印刷 次郎",
                "filed_under": "架空介保第2号",
            },
        )

    def _take_back(self, form: WaitingForm) -> Answer | None:
        """Counts what the contractor has given back, once something lies there."""
        back = self.desk / RETURNED
        lying = len(list(back.glob(f"{form.cycle}-p*.iso"))), len(list(back.glob(f"{form.cycle}-PW*.pdf")))
        # Airflow may lose an answer and ask again: what was counted is known when it is shredded already.
        if lying[0]:
            self._given_back[form.cycle] = lying
        discs, notices = self._given_back.get(form.cycle, (0, 0))
        if not discs:
            return None
        self._file_confirmations(form.cycle)
        now = tokyo(clock.now())
        return (
            "tanto2",
            "返却を受けた",
            {
                "discs_returned_at": now,
                "discs_giver": "印刷 次郎",
                "discs_taker": "石川 恵",
                "discs_quantity": str(discs),
                "discs_filed_under": "架空介保第3号",
                "notices_returned_at": now,
                "notices_giver": "印刷 太郎",
                "notices_taker": "青木 一郎",
                "notices_quantity": str(notices),
                "notices_filed_under": "架空介保第4号",
            },
        )

    def _hand_over_passphrase(self, form: WaitingForm) -> Answer | None:
        earliest = re.search(r"渡せるのは \| (\d{4}-\d{2}-\d{2} \d{2}:\d{2}) から", form.body)
        if earliest and tokyo(clock.now()) < earliest[1]:
            return None  # media and passphrase are different occasions
        self._file_confirmations(form.cycle)
        notices = list(self.tray.glob(f"{form.cycle}-PW*.pdf"))
        if not notices:
            return None
        for paper in notices:
            shutil.move(paper, self.desk / paper.name)
        return (
            "tanto1",
            "引き渡した",
            {
                "handed_at": tokyo(clock.now()),
                "giver": "青木 一郎",
                "taker": "印刷 太郎",
                "means": "手渡し",
                "tracking_number": None,
                "quantity": "1",
                "signed_by": "印刷 太郎",
                "filed_under": "架空介保第2号",
            },
        )

    def _file_confirmations(self, cycle: str) -> None:
        """The 確認書 that lies ready is taken along, signed by both and filed: it leaves the tray."""
        for paper in self.tray.glob(f"{cycle}*確認書*.pdf"):
            paper.unlink()

    def _confirm_delivery(self, form: WaitingForm) -> Answer:
        self._file_confirmations(form.cycle)
        return (
            "tanto2",
            "納品を確認した",
            {
                "delivered_at": tokyo(clock.now()),
                "handler": "石川 恵",
                "deliverer": "印刷 次郎",
                "quantity": self._approved_envelopes(form),
                "signed_by": "印刷 次郎",
                "filed_under": "架空介保第3号",
            },
        )

    def _approved_envelopes(self, form: WaitingForm) -> str:
        """The number to count against: the officer looks it up in what was approved, to be sent and to be taken out."""
        path = re.sub("/taskInstances/[^/]+/", "/taskInstances/composition.approve_handover/", form.path)
        approved = self.officers["tanto2"].request("GET", path)
        approved.raise_for_status()
        envelopes = _number(r"([\d,]+)封", approved.json()["body"])
        answered = self.officers["tanto2"].request("GET", _PULLOUTS)
        answered.raise_for_status()
        for detail in answered.json()["hitl_details"]:
            asked = WaitingForm.from_detail(detail)
            is_pullout = (asked.subject, asked.cycle) == (_PULLOUT_APPROVAL, form.cycle)
            if is_pullout and detail["chosen_options"] == [_APPROVED]:
                envelopes -= _number(r"なくなる封筒 \| ([\d,]+)封", asked.body)
        return f"{envelopes:,}"

    def _confirm_erasure(self, form: WaitingForm) -> Answer:
        return (
            "tanto1",
            "消去を確認した",
            {"method": "ビデオ通話", "confirmed_at": tokyo(clock.now()), "note_number": "架空介保第1号"},
        )


def _number(pattern: str, text: str) -> int:
    return int(re.search(pattern, text).group(1).replace(",", ""))  # type: ignore[union-attr]


def carry_answers(from_desk: Path, to_desk: Path) -> None:
    """The contractor's answers to the ward's reply desk, each whole, the signature before its message."""
    for path in sorted(from_desk.glob("*/*.json*"), key=lambda path: path.suffix != ".sig"):
        if path.suffix not in (".json", ".sig"):
            continue  # still being written
        folder = to_desk / path.parent.name
        folder.mkdir(exist_ok=True)
        beside = folder / f".{path.name}"
        shutil.copyfile(path, beside)
        beside.replace(folder / path.name)
        path.unlink()


def _copied(source: Path, digests: dict[str, str], target: Path) -> bool:
    """Copies files, reads each back, and gives it its name only when it is what the form shows."""
    target.mkdir(parents=True, exist_ok=True)
    for name, digest in digests.items():
        beside = target / f".{name}"
        shutil.copyfile(source / name, beside)
        if hashlib.sha256(beside.read_bytes()).hexdigest() != digest:
            return False
        beside.replace(target / name)
    return bool(digests)


def main() -> None:
    """Looks for forms until it is stopped."""
    parser = argparse.ArgumentParser(description="the scripted officers of the demo")
    parser.add_argument("--address", required=True)
    parser.add_argument("--authority", type=Path, help="PEM file: whom to trust for the address")
    parser.add_argument("--passwords", type=Path, required=True, help="JSON file: login to password")
    for folder in ("--tray", "--desk", "--outbox", "--replies"):
        parser.add_argument(folder, type=Path, required=True)
    options = parser.parse_args()
    passwords = json.loads(options.passwords.read_text(encoding="utf-8"))
    officers = {
        name: Officer(name, password, options.address, options.authority)
        for name, password in passwords.items()
    }
    script = Script(officers, Places(options.tray, options.desk, options.outbox, options.replies))
    while True:
        try:
            script.look()
        except httpx.HTTPError as failed:
            print(f"cannot look: {type(failed).__name__}", flush=True)
        time.sleep(_LOOK_EVERY_SECONDS)


if __name__ == "__main__":
    main()
