"""The offline page in a real browser: a real package opens from file://, and nothing wrong does."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.unit.handover.discs import APackage, a_package

from notice_cycle.encryption import passphrase
from notice_cycle.exchange.package import MANIFEST_NAMESPACE

DECRYPTER = Path(__file__).parents[2] / "include" / "contractor_kit" / "decrypter"
PAGE = DECRYPTER / "open.html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SECONDS = 60_000

needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed; run tools/debian-packages browser"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """The page from the disc, on a PC without a network. Anything it asks for but itself fails the test."""
    context = browser.new_context(offline=True, locale="ja-JP", viewport={"width": 1000, "height": 1400})
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(PAGE.as_uri())
    yield page
    context.close()
    assert said == []
    assert {url.partition(":")[0] for url in asked} <= {"file", "blob"}
    assert [url for url in asked if url.startswith("file")] == [PAGE.as_uri()]


def choose(page: Page, *files: Path) -> None:
    page.set_input_files("#files", [str(file) for file in files])


def refusal(page: Page, *files: Path) -> str:
    """What is said about files that are refused as soon as they are chosen."""
    choose(page, *files)
    page.wait_for_selector("#files-say:not(:empty)")
    assert page.is_hidden("#package")
    assert page.is_disabled("#secret")
    return page.inner_text("#files-say")


def whole(package: APackage) -> list[Path]:
    return sorted(package.folder.iterdir())


def unlock(page: Page, package: APackage, secret: str | None = None) -> None:
    """As far as the button: files, fingerprint, passphrase."""
    choose(page, *whole(package))
    page.check("#same")
    page.fill("#secret", secret if secret is not None else package.secret.reveal())


def failure(page: Page) -> str:
    """Open, and what it says then."""
    page.click("#open")
    page.wait_for_selector("#failed:visible")
    assert page.is_hidden("#done")
    assert page.get_attribute("#save", "href") is None
    return page.inner_text("#failed")


def test_the_page_is_the_one_that_was_built() -> None:
    recorded = (DECRYPTER / "open.html.sha256").read_text()
    assert recorded == f"{hashlib.sha256(PAGE.read_bytes()).hexdigest()}  open.html\n"


def test_the_page_forbids_itself_every_network_and_names_its_licenses() -> None:
    text = PAGE.read_text(encoding="utf-8")
    policy = text.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe" not in policy
    for library in ("age-encryption", "@noble/ciphers", "@noble/curves", "@noble/hashes", "@scure/base"):
        assert f"\n{library} " in text or f"<pre>{library} " in text
    assert "Redistribution and use" in text
    assert "Permission is hereby granted" in text


def test_the_pinned_versions_are_exact() -> None:
    wanted = json.loads((DECRYPTER / "source" / "package.json").read_text())
    locked = json.loads((DECRYPTER / "source" / "package-lock.json").read_text())["packages"]
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert version[0].isdigit()
        assert locked[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in entry for name, entry in locked.items() if name)


@needs_browser
@pytest.mark.parametrize("synthetic", [True, False])
def test_a_real_package_opens_offline(page: Page, tmp_path: Path, synthetic: bool) -> None:
    package = a_package(tmp_path, synthetic=synthetic, work_factor=18)
    choose(page, *whole(package))
    page.wait_for_selector("#package:visible")
    assert page.inner_text("#marking").startswith("架空データ" if synthetic else "本番")
    assert page.inner_text("#fingerprint") == package.key.fingerprint
    assert page.is_disabled("#secret")
    page.check("#same")
    assert page.is_disabled("#open")
    page.fill("#secret", package.secret.reveal().lower().replace("-", " ").replace("0", "o"))
    page.click("#open")
    page.wait_for_selector("#done:visible")
    assert page.inner_text("#done-digest") == package.manifest.print_file.sha256
    assert page.input_value("#secret") == ""
    with page.expect_download() as downloading:
        page.click("#save")
    assert downloading.value.suggested_filename == "print.csv"
    assert Path(downloading.value.path()).read_bytes() == package.plain


@needs_browser
@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 9_000_000])
def test_every_size_opens(page: Page, tmp_path: Path, size: int) -> None:
    package = a_package(tmp_path, plain=bytes(size))
    unlock(page, package)
    page.click("#open")
    page.wait_for_selector("#done:visible")
    assert page.inner_text("#done-digest") == hashlib.sha256(bytes(size)).hexdigest()


@needs_browser
def test_the_parts_of_several_discs_are_joined(page: Page, tmp_path: Path) -> None:
    package = a_package(tmp_path)
    encrypted = package.folder / package.manifest.encrypted_file.name
    content = encrypted.read_bytes()
    encrypted.unlink()
    for number, part in ((1, content[:32768]), (2, content[32768:65536]), (3, content[65536:])):
        (package.folder / f"{encrypted.name}.{number:03}").write_bytes(part)
    unlock(page, package)
    page.click("#open")
    page.wait_for_selector("#done:visible")
    fewer = [file for file in whole(package) if not file.name.endswith(".003")]
    assert "途中で切れています" in refusal(page, *fewer)


@needs_browser
def test_a_large_file_is_written_straight_to_where_it_goes(page: Page, tmp_path: Path) -> None:
    """A stand-in for the window that asks where to: what is written and closed there is the file."""
    page.evaluate(PICKER)
    package = a_package(tmp_path, plain=b"0123456789abcdef" * (9 * 1024 * 1024))
    unlock(page, package)
    page.click("#open")
    page.wait_for_selector("#done:visible")
    assert page.is_hidden("#save")
    assert "保存しました" in page.inner_text("#done-todo")
    written: dict[str, Any] = page.evaluate("window.written")
    assert written == {
        "name": "print.csv",
        "bytes": len(package.plain),
        "closed": True,
        "aborted": False,
        "removed": False,
    }


@needs_browser
def test_a_large_file_that_is_altered_is_taken_back(page: Page, tmp_path: Path) -> None:
    page.evaluate(PICKER)
    package = a_package(tmp_path, plain=bytes(144 * 1024 * 1024))
    damage(package, at=-1)
    unlock(page, package)
    assert "壊れているか、書き換えられています" in failure(page)
    written = page.evaluate("window.written")
    assert (written["closed"], written["aborted"], written["removed"]) == (False, True, True)


PICKER = """() => {
    const written = window.written = {name: "", bytes: 0, closed: false, aborted: false, removed: false};
    window.showSaveFilePicker = async ({suggestedName}) => {
        written.name = suggestedName;
        return {
            createWritable: async () => ({
                write: async (part) => { written.bytes += part.size; },
                close: async () => { written.closed = true; },
                abort: async () => { written.aborted = true; },
            }),
            remove: async () => { written.removed = true; },
        };
    };
}"""


def damage(package: APackage, *, at: int) -> None:
    """One bit of the encrypted file."""
    path = package.folder / package.manifest.encrypted_file.name
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@needs_browser
def test_another_passphrase_is_refused_as_such(page: Page, tmp_path: Path) -> None:
    package = a_package(tmp_path)
    unlock(page, package, passphrase.generate().reveal())
    said = failure(page)
    assert "パスワードが違います" in said
    assert "入れ直してください" in said
    page.fill("#secret", package.secret.reveal())
    page.click("#open")
    page.wait_for_selector("#done:visible")
    assert page.is_hidden("#failed")


@needs_browser
def test_a_mistyped_group_is_named_before_anything_is_tried(page: Page, tmp_path: Path) -> None:
    package = a_package(tmp_path)
    groups = package.secret.reveal().split("-")
    groups[2] = groups[2][:-1] + ("0" if groups[2][-1] != "0" else "1")
    unlock(page, package, "-".join(groups))
    assert "第3組に誤りがあります" in page.inner_text("#secret-say")
    assert page.is_disabled("#open")
    assert [item.get_attribute("class") for item in page.query_selector_all("#groups li")] == [
        "right",
        "right",
        "wrong",
        "right",
        "right",
    ]


@needs_browser
@pytest.mark.parametrize("place", [-1, -70_000, 100])
def test_an_altered_file_is_refused(page: Page, tmp_path: Path, place: int) -> None:
    package = a_package(tmp_path)
    damage(package, at=place)
    unlock(page, package)
    assert "壊れているか、書き換えられています" in failure(page)


@needs_browser
def test_a_truncated_file_and_a_longer_one_are_refused_before_the_passphrase(
    page: Page, tmp_path: Path
) -> None:
    package = a_package(tmp_path)
    path = package.folder / package.manifest.encrypted_file.name
    content = path.read_bytes()
    for changed, said in ((content[:-1], "途中で切れています"), (content + b"x", "大きくなっています")):
        path.write_bytes(changed)
        assert said in refusal(page, *whole(package))


@needs_browser
def test_another_print_file_under_the_same_passphrase_is_refused(page: Page, tmp_path: Path) -> None:
    """The ward signed other plaintext than is inside."""
    package = a_package(tmp_path)
    other = package.manifest.model_copy(
        update={"print_file": package.manifest.print_file.model_copy(update={"sha256": "0" * 64})}
    )
    (package.folder / "manifest.json").write_bytes(other.content())
    (package.folder / "manifest.json.sig").write_text(
        package.key.sign(other.content(), namespace=MANIFEST_NAMESPACE)
    )
    unlock(page, package)
    assert "送付目録と一致しません" in failure(page)


@needs_browser
def test_what_the_ward_did_not_sign_is_not_opened(page: Page, tmp_path: Path) -> None:
    package = a_package(tmp_path)
    manifest, signature = package.folder / "manifest.json", package.folder / "manifest.json.sig"
    content, signed = manifest.read_bytes(), signature.read_text()
    cases = [
        (content.replace(b'"notices":100', b'"notices":101'), signed, "署名と一致しません"),
        (content, package.key.sign(content, namespace="notice-cycle-message"), "署名と一致しません"),
        (content, "nonsense", "署名と一致しません"),
        (b"[]", signed, "送付目録の形式ではありません"),
        (b"\xff", signed, "送付目録の形式ではありません"),
    ]
    for manifest_bytes, signature_text, said in cases:
        manifest.write_bytes(manifest_bytes)
        signature.write_text(signature_text)
        assert said in refusal(page, *whole(package))


@needs_browser
@pytest.mark.parametrize("missing", ["manifest.json", "manifest.json.sig", ".age"])
def test_a_file_that_was_not_chosen_is_named(page: Page, tmp_path: Path, missing: str) -> None:
    package = a_package(tmp_path)
    said = refusal(page, *[file for file in whole(package) if not file.name.endswith(missing)])
    assert missing in said
    assert "選ばれていません" in said
