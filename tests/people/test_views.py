"""What each role meets in a real browser: the menu, a cycle, the open forms, a register form, and a refusal.

The screenshots lie in var/test-people-views, to be looked at.
"""

import re
import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from embedded_ward.layout import REPOSITORY
from embedded_ward.ward import NOTICE, EmbeddedWard
from notice_cycle.accounts import AccountChanged
from tests.e2e.conftest import wait_for
from tests.people.conftest import LOGINS_ALLOWED, open_form
from tests.people.test_roles import LOGINS, TABLE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENS = REPOSITORY / "var" / "test-people-views"
VIEWED = "views"
SECONDS = 60_000

pytestmark = [
    pytest.mark.ward,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed; run tools/debian-packages browser"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def cycle(ward: EmbeddedWard) -> str:
    """A cycle that waits for 検証確認."""
    ward.trigger(VIEWED, occasion="supplementary", reason_code="rehearsal", batch_no="2026-08-supplementary")
    wait_for(lambda: open_form(ward, VIEWED, "validation.confirm_validation"), "the form")
    SCREENS.mkdir(parents=True, exist_ok=True)
    return f"{ward.address}/dags/{NOTICE}/runs/{VIEWED}"


class Seat:
    """One officer before the browser."""

    def __init__(self, page: Page, ward: EmbeddedWard, column: str) -> None:
        self.page, self.ward, self.column = page, ward, column
        self.login = LOGINS[column]

    def sees(self, name: str, address: str, wait_ms: int = 2_500) -> str:
        """Opens an address, keeps a screenshot, gives what can be read."""
        self.page.goto(address)
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(wait_ms)
        return self.shot(name)

    def shot(self, name: str) -> str:
        self.page.screenshot(path=SCREENS / f"{self.login}-{name}.png")
        return self.page.inner_text("body")


@pytest.fixture(scope="module", params=LOGINS)
def seat(request: pytest.FixtureRequest, browser: Browser, ward: EmbeddedWard, cycle: str) -> Iterator[Seat]:
    context = browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    seat = Seat(page, ward, request.param)
    page.goto(f"{ward.address}/auth/login/")
    assert "ユーザー名" in seat.shot("1-login")
    page.fill("#username", seat.login)
    page.fill("#password", ward.secrets.user_passwords[seat.login].get_secret_value())
    page.click("input[type=submit]")
    page.wait_for_url(re.compile(r"127\.0\.0\.1:[0-9]+/$"))
    page.get_by_text(
        "ホーム", exact=True
    ).first.wait_for()  # the words come after the page, on a busy machine late
    yield seat
    context.close()


def menus() -> dict[str, list[str]]:
    """What docs/roles.md says of each role's menu."""
    told = TABLE.partition("## 画面のメニュー")[2]
    lines = re.findall(r"^\| (\S+) \| (.+) \|$", told, re.MULTILINE)
    return {role: items.split("、") for role, items in lines if role in LOGINS}


def test_the_home_page_is_japanese_and_has_the_menu_of_the_role(seat: Seat) -> None:
    text = seat.sees("2-home", seat.ward.address)
    assert "実行中の Dag" in text
    assert ("要対応項目" in text) == (seat.column != "他課")  # shown where something waits
    items = seat.ward.person(seat.login).request("GET", "/ui/auth/menus").json()
    told = sorted([*items["authorized_menu_items"], *(item["text"] for item in items["extra_menu_items"])])
    assert told == menus()[seat.column]


def test_a_cycle_is_seen_by_its_section_and_by_who_sees_all(seat: Seat, cycle: str) -> None:
    text = seat.sees("3-cycle", cycle)
    assert ("検証確認" in text) == (seat.column != "他課")


def test_the_log_is_read(seat: Seat, cycle: str) -> None:
    text = seat.sees("4-log", f"{cycle}/tasks/opening.open_cycle", wait_ms=4_000)
    assert ("Returned value was: 2026-premium_notice_ordinary-supplementary-" in text) == (
        seat.column != "他課"
    )


def test_the_open_forms(seat: Seat) -> None:
    text = seat.sees("5-forms", f"{seat.ward.address}/required_actions")
    assert ("検証確認" in text) == (seat.column != "他課")


def test_a_form(seat: Seat, cycle: str) -> None:
    seat.sees("6-form", f"{cycle}/tasks/validation.confirm_validation/required_actions")


def test_the_preparation_stands_beside_the_dag_before_there_is_a_run(seat: Seat) -> None:
    seat.sees("12-preparation", f"{seat.ward.address}/dags/{NOTICE}/plugin/notice-cycle-preparation", 4_000)
    frames = (frame for frame in seat.page.frames if "/notice-cycle/preparation/" in frame.url)
    told = "".join(frame.inner_text("body") for frame in frames)
    assert ("令和8年度（2026年度）の当初の発送回" in told) == (seat.column != "他課")


def test_what_presses_today_stands_in_the_menu(seat: Seat) -> None:
    seat.sees("13-home", seat.ward.address)
    seat.page.get_by_text("今日の一枚", exact=True).first.click()
    seat.page.wait_for_timeout(4_000)
    seat.shot("13-today")
    frames = (frame for frame in seat.page.frames if "/notice-cycle/today" in frame.url)
    told = "".join(frame.inner_text("body") for frame in frames)
    assert "進行中・準備中の発送回" in told
    assert ("2026-premium_notice_ordinary-supplementary-" in told) == (seat.column != "他課")


def test_a_register_form(seat: Seat) -> None:
    seat.sees("7-register", f"{seat.ward.address}/dags/register_training")
    button = seat.page.get_by_role("button", name="トリガー")
    if button.count():
        button.first.click()
        seat.page.wait_for_timeout(2_000)
        seat.shot("8-register-form")


def test_what_is_not_theirs(seat: Seat) -> None:
    seat.sees("9-connections", f"{seat.ward.address}/connections")
    text = seat.sees("9-users", f"{seat.ward.address}/auth/users/list/")
    assert ("tanto2" in text) == (seat.column == "管理者")


@pytest.mark.parametrize("seat", ["管理者"], indirect=True)
def test_the_manager_opens_a_closed_account(seat: Seat) -> None:
    right = seat.ward.secrets.user_passwords["tanto2"].get_secret_value()

    def token(password: str) -> int:
        body = {"username": "tanto2", "password": password}
        return httpx.post(f"{seat.ward.address}/auth/token", json=body, trust_env=False).status_code

    assert [token("wrong") for _ in range(5)] == [401] * 5
    assert token(right) == httpx.codes.UNAUTHORIZED
    seat.page.goto(f"{seat.ward.address}/auth/users/list/")
    seat.page.locator("tr", has_text="tanto2").locator("a[href*='/edit/']").click()
    seat.page.check("#active")
    seat.shot("10-user")
    seat.page.locator("button[type=submit]").last.click()
    seat.page.wait_for_load_state("networkidle")
    assert token(right) == httpx.codes.CREATED
    kind = AccountChanged

    def opened() -> list[tuple[str, str]]:
        changes = [kind.model_validate(entry.data) for entry in seat.ward.ledger.entries(kind=kind.kind())]
        return [(one.login, one.changed_by.user_id) for one in changes if one.changed_by and one.active]

    wait_for(lambda: ("tanto2", "kanri") in opened(), "who opened it, in the ledger")


@pytest.mark.parametrize("seat", ["担当"], indirect=True)
def test_a_weak_password_is_refused_with_the_rule(seat: Seat) -> None:
    seat.page.goto(f"{seat.ward.address}/auth/resetmypassword/form")
    seat.page.fill("#password", "kaigo2026")
    seat.page.fill("#conf_password", "kaigo2026")
    seat.page.locator("button[type=submit]").last.click()
    seat.page.wait_for_load_state("networkidle")
    text = seat.shot("11-password")
    assert text.count("12文字以上") == 2  # beside the field, and as the reason
    assert "確認しません" not in text


def test_the_login_form_takes_only_so_many_tries(ward: EmbeddedWard) -> None:
    """Flask-AppBuilder's limit. Last: whoever logs in by the form afterwards would be refused, too."""
    with httpx.Client(base_url=ward.address, trust_env=False) as browser:
        (token,) = re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', browser.get("/auth/login/").text)
        guess = {"csrf_token": token, "username": "nobody", "password": "wrong"}
        answers = []
        while httpx.codes.TOO_MANY_REQUESTS not in answers:
            answers.append(browser.post("/auth/login/", data=guess).status_code)
            assert len(answers) <= 2 * LOGINS_ALLOWED  # all of one window, even when they began in another
    assert len(answers) > 1
    assert ward.person("tanto1").request("GET", f"/api/v2/dags/{NOTICE}").is_success  # by a token
