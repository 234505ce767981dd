"""The scripted officers of the demo: they answer forms through Airflow's REST API, each as their own user.

A separate process that has the officers' passwords, the web UI's address, the print tray and the contractor's
desk, and nothing else. It carries paper from the tray to the desk, counts what the forms show, and answers.
"""

import argparse
import json
import re
import shutil
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

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


class Script:
    """What the officers do when a form asks them."""

    def __init__(self, officers: dict[str, Officer], tray: Path, desk: Path) -> None:
        self.officers, self.tray, self.desk = officers, tray, desk
        self._known: dict[str, Callable[[WaitingForm], Answer | None]] = {
            "年度設定確認": self._confirm_year_settings,
            "検証確認": self._confirm_validation,
            "引渡し承認": self._approve_handover,
            "パスワード引渡確認書": self._hand_over_passphrase,
            "納品確認書": self._confirm_delivery,
            "消去確認": self._confirm_erasure,
        }

    def look(self) -> None:
        """Answers every form that has waited long enough."""
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

    def _confirm_year_settings(self, form: WaitingForm) -> Answer:
        return "shonin", "確認した", {"papers": "架空区介護保険条例（令和8年3月改正）"}

    def _confirm_validation(self, form: WaitingForm) -> Answer:
        for paper in self.tray.glob(f"{form.cycle}-FL*.pdf"):
            paper.unlink()  # read, compared with the register of protected persons, and shredded
        return "tanto1", "確認した", {"reason": None}

    def _approve_handover(self, form: WaitingForm) -> Answer:
        return "shonin", "承認する", {"reason": None}

    def _hand_over_passphrase(self, form: WaitingForm) -> Answer | None:
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
        """The number to count against: the officer looks it up in the form that was approved."""
        path = re.sub("/taskInstances/[^/]+/", "/taskInstances/composition.approve_handover/", form.path)
        approved = self.officers["tanto2"].request("GET", path)
        approved.raise_for_status()
        return re.search(r"([\d,]+)封", approved.json()["body"]).group(1)  # type: ignore[union-attr]

    def _confirm_erasure(self, form: WaitingForm) -> Answer:
        return (
            "tanto1",
            "消去を確認した",
            {"method": "ビデオ通話", "confirmed_at": tokyo(clock.now()), "note_number": "架空介保第1号"},
        )


def main() -> None:
    """Looks for forms until it is stopped."""
    parser = argparse.ArgumentParser(description="the scripted officers of the demo")
    parser.add_argument("--address", required=True)
    parser.add_argument("--authority", type=Path, help="PEM file: whom to trust for the address")
    parser.add_argument("--passwords", type=Path, required=True, help="JSON file: login to password")
    parser.add_argument("--tray", type=Path, required=True)
    parser.add_argument("--desk", type=Path, required=True)
    options = parser.parse_args()
    passwords = json.loads(options.passwords.read_text(encoding="utf-8"))
    officers = {
        name: Officer(name, password, options.address, options.authority)
        for name, password in passwords.items()
    }
    script = Script(officers, options.tray, options.desk)
    while True:
        try:
            script.look()
        except httpx.HTTPError as failed:
            print(f"cannot look: {type(failed).__name__}", flush=True)
        time.sleep(_LOOK_EVERY_SECONDS)


if __name__ == "__main__":
    main()
