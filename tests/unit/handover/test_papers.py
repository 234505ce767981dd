"""The papers of a hand-over: every kind of 確認書, the label, the 送付票 and the 手順書, as printed."""

from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader
from tests.unit.handover.discs import AT, CYCLE, APackage, a_package, the_images

from notice_cycle.encryption.formats import FORMATS
from notice_cycle.handover import papers
from notice_cycle.handover.media import DiscImage
from notice_cycle.handover.papers import ConfirmationKind
from notice_cycle.records import Disc

FINGERPRINT = "SHA256:uNiVztksCsDhcc0u9e8BrrJXHVpXkkkLiVqXbzFQPZs"
CONTACT = "電話 03-0000-0000"
KINDS = pytest.mark.parametrize("kind", list(ConfirmationKind))


def pages(document: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(document)).pages]


def squeezed(document: bytes) -> str:
    return "".join("".join(pages(document)).split()).replace("\u200b", "")


def a_confirmation(kind: ConfirmationKind, **changed) -> papers.Confirmation:
    facts = {
        "kind": kind,
        "number": f"{CYCLE}-p1-{kind.value}",
        "cycle": CYCLE,
        "notice_ja": "介護保険料額決定通知書兼納入通知書(普通徴収・口座振替を含む年度当初の発送分)",
        "parties": papers.Parties("架空区 福祉部 介護保険課", "架空印刷株式会社"),
        "means_ja": "手渡し",
        "contents": [(f"{CYCLE}-p1-d1", "1 枚"), ("a" * 64, "")],
        "filing_place": "介護保険課 書庫 棚B-3",
    }
    return papers.Confirmation(**(facts | changed))


def as_made(image: DiscImage) -> Disc:
    return Disc(label=image.label, image=image.image)


@pytest.fixture
def package(tmp_path) -> APackage:
    return a_package(tmp_path)


@pytest.fixture
def image(package: APackage, tmp_path: Path) -> DiscImage:
    return the_images(package, tmp_path / "out")[0]


@KINDS
def test_a_confirmation_has_all_that_is_asked_for_on_one_page(kind):
    document = papers.confirmation(a_confirmation(kind), at=AT, synthetic=True)
    assert len(pages(document)) == 1
    text = squeezed(document)
    for asked in (
        "日時",
        "取扱者",
        "情報の内容",
        "数量",
        "渡す側",
        "受ける側",
        "媒体",
        "方法",
        "発送回",
        CYCLE,
    ):
        assert asked in text, asked
    assert kind.label_ja in text
    assert "a" * 64 in text
    assert "架空データ" in text


@KINDS
def test_what_comes_back_to_the_ward_is_given_by_the_contractor(kind):
    text = squeezed(papers.confirmation(a_confirmation(kind), at=AT, synthetic=True))
    to_ward = kind in (
        ConfirmationKind.DELIVERY,
        ConfirmationKind.MEDIA_RETURN,
        ConfirmationKind.PASSWORD_RETURN,
    )
    assert ("渡す側架空印刷株式会社" in text) == to_ward
    assert ("渡す側架空区" in text) != to_ward


def test_before_the_event_time_and_handlers_are_left_to_the_hand():
    kind = ConfirmationKind.MEDIA_OUT
    before = squeezed(papers.confirmation(a_confirmation(kind), at=AT, synthetic=False))
    assert "日時令和年月日時分" in before
    after = squeezed(
        papers.confirmation(
            a_confirmation(kind, occurred_at=AT, handlers=["見本 一郎"], places=["機械室", "耐火金庫A"]),
            at=AT,
            synthetic=False,
        )
    )
    assert "日時令和8年7月3日10時05分" in after
    assert "取扱者見本一郎" in after
    assert "書き込んだ場所機械室" in after
    assert "保管する金庫耐火金庫A" in after


def test_the_papers_of_a_list_of_letters_to_take_out_say_that_it_is_not_to_be_printed(package, image):
    asked = {"contents": "引抜き", "request_number": f"{CYCLE}-引抜き1"}
    manifest = package.manifest.model_copy(update=asked)
    discs, form = [as_made(image)], FORMATS["age"]
    label = papers.disc_label(discs, 1, manifest, at=AT)
    assert len(pages(label)) == 1
    slip = papers.transmittal(
        discs, manifest, form, section="介護保険課", means_ja="手渡し",
        fingerprint=FINGERPRINT, contact=CONTACT, at=AT,
    )  # fmt: skip
    guide = papers.disc_guide(manifest, form, [], contact=CONTACT, at=AT)
    for paper in (squeezed(label), squeezed(slip), squeezed(guide.pdf), guide.text):
        assert "引抜きの一覧" in paper
        assert "印刷しないこと" in paper
    assert "封筒" not in squeezed(slip)
    assert f"（{CYCLE}-引抜き1）" in guide.text


def test_more_places_than_the_kind_asks_for_are_a_programming_error():
    with pytest.raises(ValueError, match="argument"):
        papers.confirmation(a_confirmation(ConfirmationKind.DELIVERY, places=["x"]), at=AT, synthetic=True)


def test_a_label_names_disc_parties_and_digest(package, image):
    document = papers.disc_label([as_made(image)], 1, package.manifest, at=AT)
    assert len(pages(document)) == 1
    text = squeezed(document)
    for said in (f"{CYCLE}-p1-d1", "1/1枚目", "2026P1D1OF1", image.image.sha256, "架空データ", "金庫"):
        assert said in text, said


def test_every_disc_has_a_label_of_its_own(package, image):
    discs = [as_made(image), as_made(image.model_copy(update={"label": f"{CYCLE}-p1-d2"}))]
    for number, disc in enumerate(discs, start=1):
        text = squeezed(papers.disc_label(discs, number, package.manifest, at=AT))
        for said in (f"文書番号{papers.label_number(disc)}", f"{number}/2枚目", f"2026P1D{number}OF2"):
            assert said in text, said


def test_a_label_of_real_data_says_what_they_are(package, image):
    real = package.manifest.model_copy(update={"marking": "本番"})
    text = squeezed(papers.disc_label([as_made(image)], 1, real, at=AT))
    assert "架空データ" not in text
    assert "個人情報" in text


def test_a_transmittal_lists_every_disc(package, image):
    discs = [as_made(image), as_made(image.model_copy(update={"label": f"{CYCLE}-p1-d2"}))]
    document = papers.transmittal(
        discs,
        package.manifest,
        FORMATS["age"],
        section="福祉部 介護保険課",
        means_ja="手渡し",
        fingerprint=FINGERPRINT,
        contact=CONTACT,
        at=AT,
    )
    assert len(pages(document)) == 1
    text = squeezed(document)
    for said in (f"{CYCLE}-p1-d1", f"{CYCLE}-p1-d2", "媒体2枚", FINGERPRINT, "100件", "98通", "受け取った者"):
        assert said in text, said


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("parts", [[], ["a.csv.age.001", "a.csv.age.002"]])
def test_a_guide_says_the_same_twice_and_fits_the_format(package, name, parts):
    guide = papers.disc_guide(package.manifest, FORMATS[name], parts, contact=CONTACT, at=AT)
    text, printed = "".join(guide.text.split()), squeezed(guide.pdf)
    assert len(pages(guide.pdf)) <= 2
    for line in guide.text.splitlines():
        if line.startswith(("・", "    ")) and ": " not in line:
            assert "".join(line.removeprefix("・").split()) in printed, line
    assert ("open.html" in text) == (name == "age")
    assert ("7-Zip" in text) == (name == "zip-aes256")
    assert ("copy/b" in text) == bool(parts)
    assert "【架空データ】" in text


def test_the_guide_names_what_lies_on_the_disc(package, image):
    guide = papers.disc_guide(package.manifest, FORMATS["age"], [], contact=CONTACT, at=AT)
    listed = guide.text.rpartition("ディスクの中身")[2].splitlines()
    named = set()
    for line in listed:
        if line.startswith("・"):
            first, *more = line[1:].partition(": ")[0].split(", ")
            named |= {first} | {other if not other.startswith(".") else first + other for other in more}
    assert named == {file.path for file in image.files}


def test_papers_are_pdf_a_with_their_fonts_inside(package, image):
    documents = [
        papers.disc_label([as_made(image)], 1, package.manifest, at=AT),
        papers.disc_guide(package.manifest, FORMATS["age"], [], contact=CONTACT, at=AT).pdf,
    ]
    for document in documents:
        reader = PdfReader(BytesIO(document))
        assert reader.xmp_metadata is not None
        assert (reader.xmp_metadata.pdfaid_part, reader.xmp_metadata.pdfaid_conformance) == ("2", "B")
        for font in reader.pages[0]["/Resources"]["/Font"].values():  # type: ignore[index]
            described = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
            assert "/FontFile2" in described
