"""Discs: what is on them, that they are the same every time, that stock tools read them, and reading back."""

import os
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.handover.discs import AT, CYCLE, WARD, a_package, the_extras, the_images

from notice_cycle.errors import Altered, CannotLook, Refused
from notice_cycle.exchange.package import CHECKSUMS, MANIFEST_NAMESPACE
from notice_cycle.handover import media
from notice_cycle.values import stored_file

INCLUDE = Path(__file__).parents[3] / "include"
ENCRYPTED = f"package/{CYCLE}-p1.csv.age"
SMALL_DISC = 32 * 1024 * 1024 + 128 * 1024  # holds parts of 128 KiB

needs_xorriso = pytest.mark.skipif(
    shutil.which("xorriso") is None, reason="xorriso is not installed; run tools/debian-packages"
)


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (0, [(0, 0)]),
        (1, [(0, 1)]),
        (2_000_000_000, [(0, 2_000_000_000)]),
        (4 * 1024**3 - 32 * 1024, [(0, 4 * 1024**3 - 32 * 1024)]),
        (4 * 1024**3, [(0, 2 * 1024**3), (2 * 1024**3, 2 * 1024**3)]),
        (10_000_000_000, [(0, 3333357568), (3333357568, 3333357568), (6666715136, 3333284864)]),
    ],
)
def test_a_package_is_cut_into_equal_parts_only_when_it_must(size, parts):
    assert media.plan_parts(size) == parts


def test_a_disc_that_holds_nothing_is_a_programming_error():
    with pytest.raises(ValueError, match="holds nothing"):
        media.plan_parts(1, disc_bytes=1_000_000)


def test_a_disc_holds_the_package_and_what_opens_it(tmp_path):
    package = a_package(tmp_path)
    (image,) = the_images(package, tmp_path / "out")
    assert [file.path for file in image.files] == [
        ENCRYPTED,
        "package/manifest.json",
        "package/manifest.json.sig",
        "package/SHA256SUMS",
        "disc.json",
        "disc.json.sig",
        "ward_signers",
        "README.pdf",
        "README.txt",
        "open.html",
        "SHA256SUMS",
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{CYCLE}-p1-d1.iso"]
    assert package.secret.reveal().encode() not in (tmp_path / "out" / image.image.name).read_bytes()


def test_a_package_for_7_zip_has_no_page_that_cannot_open_it(tmp_path):
    package = a_package(tmp_path, ending=".zip")
    (image,) = the_images(package, tmp_path / "out", extras=the_extras(package, decrypter=None))
    assert "open.html" not in [file.path for file in image.files]


def test_the_same_content_and_moment_give_the_same_bytes(tmp_path, monkeypatch):
    package = a_package(tmp_path)
    first = the_images(package, tmp_path / "first")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: 1.0)
    try:
        assert the_images(package, tmp_path / "second") == first
    finally:
        monkeypatch.undo()
        time.tzset()
    other = the_images(package, tmp_path / "third", at=AT + timedelta(minutes=1))
    assert other[0].image.sha256 != first[0].image.sha256


def test_the_clock_is_itself_again_afterwards(tmp_path):
    import pycdlib.udf

    the_images(a_package(tmp_path), tmp_path / "out")
    assert pycdlib.udf.time is time
    assert pycdlib.udf.random.__name__ == "random"


def test_a_package_that_is_not_what_its_manifest_says_gets_no_disc(tmp_path):
    package = a_package(tmp_path)
    path = package.folder / package.manifest.encrypted_file.name
    for content in (package.encrypted[:-1], package.encrypted + b"x", b"x" + package.encrypted[1:]):
        path.write_bytes(content)
        with pytest.raises(Altered, match="署名した送付目録と一致しません"):
            the_images(package, tmp_path / "out")
    assert list((tmp_path / "out").glob("*")) == []


def test_what_a_killed_run_left_is_built_over(tmp_path):
    package = a_package(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{CYCLE}-p1-d1.iso.partial").write_bytes(b"torso")
    (image,) = the_images(package, tmp_path / "out")
    assert media.verify_disc(tmp_path / "out" / image.image.name, image).files_compared == 11
    assert [path.name for path in (tmp_path / "out").iterdir()] == [image.image.name]


def test_a_long_package_goes_on_several_discs_and_is_joined_again(tmp_path):
    package = a_package(tmp_path, plain=os.urandom(300_000))
    images = the_images(package, tmp_path / "out", disc_bytes=SMALL_DISC)
    assert [(image.disc, image.discs) for image in images] == [(1, 3), (2, 3), (3, 3)]
    joined = b""
    for image in images:
        content = on_disc(tmp_path / "out" / image.image.name)
        joined += content[f"{ENCRYPTED}.{image.disc:03}"]
        assert content["package/manifest.json"] == package.manifest.content()
        manifest = media.DiscManifest.parse(content["disc.json"])
        assert manifest.disc == image.disc
        assert [part.name for part in manifest.parts] == [
            f"{CYCLE}-p1.csv.age.{number:03}" for number in (1, 2, 3)
        ]
        assert sum(part.size_bytes for part in manifest.parts) == len(package.encrypted)
    assert joined == package.encrypted


def on_disc(image: Path) -> dict[str, bytes]:
    """Every file by its path, read through UDF."""
    import pycdlib

    disc = pycdlib.PyCdlib()
    disc.open(str(image))
    found = {}
    for folder, _, names in disc.walk(udf_path="/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with disc.open_file_from_iso(udf_path=path) as content:
                found[path.lstrip("/")] = content.read()
    disc.close()
    return found


def extracted(image: Path, target: Path) -> Path:
    """The disc as xorriso shows it, copied to a folder."""
    subprocess.run(
        ["xorriso", "-osirrox", "on", "-indev", str(image), "-extract", "/", str(target)],
        check=True,
        capture_output=True,
    )
    subprocess.run(["chmod", "-R", "u+w", str(target)], check=True)
    return target


@needs_xorriso
def test_stock_tools_read_and_check_a_disc(tmp_path):
    """xorriso reads the Joliet side, we the UDF side: both show the same files."""
    package = a_package(tmp_path)
    (image,) = the_images(package, tmp_path / "out")
    path = tmp_path / "out" / image.image.name
    folder = extracted(path, tmp_path / "disc")
    found = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert found == on_disc(path)
    assert found["README.txt"].decode("utf-8-sig") == "手順書\r\n𠮷\r\n"
    for at in (folder, folder / "package"):
        subprocess.run(["sha256sum", "--strict", "-c", CHECKSUMS], cwd=at, check=True, capture_output=True)
    verify = ["ssh-keygen", "-Y", "verify", "-f", "ward_signers", "-I", WARD, "-n", MANIFEST_NAMESPACE]
    for signed in ("disc.json", "package/manifest.json"):
        subprocess.run(
            [*verify, "-s", f"{signed}.sig"],
            cwd=folder,
            input=(folder / signed).read_bytes(),
            check=True,
            capture_output=True,
        )


@needs_xorriso
def test_cat_joins_the_parts_of_several_discs(tmp_path):
    package = a_package(tmp_path, plain=os.urandom(300_000))
    images = the_images(package, tmp_path / "out", disc_bytes=SMALL_DISC)
    for image in images:
        extracted(tmp_path / "out" / image.image.name, tmp_path / f"d{image.disc}")
    subprocess.run(f"cat d?/{ENCRYPTED}.* > whole", shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "whole").read_bytes() == package.encrypted


@needs_xorriso
def test_burning_and_reading_back(tmp_path):
    """A file stands in for the drive: the same program, the same arguments, no laser."""
    (image,) = the_images(a_package(tmp_path), tmp_path / "out")
    device = tmp_path / "device"
    device.write_bytes(bytes(20 * 1024 * 1024))
    burnt = media.burn(tmp_path / "out" / image.image.name, device, xorriso())
    assert burnt == media.Burnt(program="xorriso", device=str(device))
    assert device.stat().st_size > image.image.size_bytes
    read_back = media.verify_disc(device, image)
    assert (read_back.bytes_read, read_back.image_sha256, read_back.files_compared) == (
        image.image.size_bytes,
        image.image.sha256,
        11,
    )


def xorriso() -> media.Burner:
    found = media.find_burner()
    assert found is not None and found.program == "xorriso"
    return found


@needs_xorriso
def test_burning_that_fails_says_what_becomes_of_the_disc(tmp_path):
    (image,) = the_images(a_package(tmp_path), tmp_path / "out")
    with pytest.raises(Refused, match="書き込めませんでした") as caught:
        media.burn(tmp_path / "out" / image.image.name, Path("/dev/null"), xorriso())
    assert "裁断" in caught.value.advice


def test_without_a_drive_or_a_program_a_person_is_told_what_to_do(tmp_path):
    image, burner = tmp_path / "x.iso", media.Burner(program="xorriso", path=Path("/usr/bin/xorriso"))
    for device, program in ((None, burner), (tmp_path / "sr0", burner), (tmp_path, None)):
        left = media.burn(image, device, program)
        assert isinstance(left, media.LeftToPerson)
        assert "x.iso" in left.todo_ja
    assert "書込み装置" in media.burn(image, None, burner).reason_ja  # type: ignore[union-attr]
    assert "xorriso" in media.burn(image, tmp_path, None).reason_ja  # type: ignore[union-attr]


def test_the_first_drive_is_found(tmp_path):
    assert media.find_drive(tmp_path) is None
    for name in ("sr1", "sr0", "srx", "sda"):
        (tmp_path / name).touch()
    assert media.find_drive(tmp_path) == tmp_path / "sr0"


@pytest.mark.parametrize("damage", ["a bit", "the end", "empty"])
def test_a_disc_that_reads_back_differently_is_refused(tmp_path, damage):
    (image,) = the_images(a_package(tmp_path), tmp_path / "out")
    content = (tmp_path / "out" / image.image.name).read_bytes()
    middle = len(content) // 2
    device = tmp_path / "device"
    device.write_bytes(
        {
            "a bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "the end": content[:-1],
            "empty": b"",
        }[damage]
    )
    with pytest.raises(Altered, match="読み戻した") as caught:
        media.verify_disc(device, image)
    assert "渡さず" in caught.value.advice


def test_a_file_that_is_not_what_was_meant_is_named(tmp_path):
    """The bytes agree with the image and the image does not hold what it should."""
    (image,) = the_images(a_package(tmp_path), tmp_path / "out")
    wrong = [
        file.model_copy(update={"sha256": "0" * 64}) if file.path == "disc.json" else file
        for file in image.files
    ]
    with pytest.raises(Altered, match=r"disc\.json"):
        media.verify_disc(
            tmp_path / "out" / image.image.name, image.model_copy(update={"files": tuple(wrong)})
        )
    fewer = image.model_copy(update={"files": image.files[:-1]})
    with pytest.raises(Altered, match="SHA256SUMS"):
        media.verify_disc(tmp_path / "out" / image.image.name, fewer)


def test_a_drive_that_does_not_answer_is_not_a_bad_disc(tmp_path):
    (image,) = the_images(a_package(tmp_path), tmp_path / "out")
    with pytest.raises(CannotLook, match="読めません"):
        media.verify_disc(tmp_path / "sr0", image)


def test_an_image_describes_itself(tmp_path):
    """For a later task that has only the image and its digest in the ledger."""
    (image,) = the_images(a_package(tmp_path), tmp_path / "out")
    found = media.describe_image(tmp_path / "out" / image.image.name)
    assert found.model_copy(update={"files": image.files}) == image
    assert set(found.files) == set(image.files)


def test_something_else_is_no_image(tmp_path):
    (tmp_path / "x.iso").write_bytes(bytes(100_000))
    with pytest.raises(Altered, match=r"x\.iso"):
        media.describe_image(tmp_path / "x.iso")


def test_the_page_on_the_disc_is_the_one_that_was_built(tmp_path):
    content = media.decrypter_page()
    assert content.startswith(b"<!doctype html>")
    for name, changed in (("open.html", content + b" "), ("open.html.sha256", b"")):
        shutil.copytree(media.DECRYPTER_FOLDER, tmp_path / name)
        (tmp_path / name / name).write_bytes(changed)
        with pytest.raises(Altered, match=r"open\.html"):
            media.decrypter_page(tmp_path / name)
    with pytest.raises(Altered, match=r"open\.html"):
        media.decrypter_page(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"format": "notice-cycle-manifest/1"}'])
def test_something_else_is_no_manifest_of_a_disc(content):
    with pytest.raises(Altered, match=r"disc\.json"):
        media.DiscManifest.parse(content)


def test_building_takes_little_memory(tmp_path):
    """A sparse 1.2 GB file stands in for the ciphertext; only the building process is measured."""
    package = a_package(tmp_path)
    big = package.folder / package.manifest.encrypted_file.name
    with big.open("r+b") as target:
        target.truncate(1_200_000_000)
    manifest = package.manifest.model_copy(update={"encrypted_file": stored_file(big)})
    (package.folder / "manifest.json").write_bytes(manifest.content())
    script = f"""
from datetime import datetime
from pathlib import Path
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.handover import media
from notice_cycle.values import stored_file
extras = media.DiscExtras(b"", b"", "", None)
media.build_images(Path({str(package.folder)!r}), extras, Path({str(tmp_path / "out")!r}),
    signing_key=SigningKey.load(Path({str(tmp_path / "signing_key")!r})), at=datetime.fromisoformat({AT.isoformat()!r}))
print(int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(INCLUDE)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(done.stdout) < 120
