"""Making the disc images of a package beside it in its outbox folder with their papers, and burning them where there is a drive."""

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from notice_cycle import clock
from notice_cycle.encryption.formats import package_format
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.errors import Altered, CannotLook, Refused
from notice_cycle.exchange.package import MANIFEST, MANIFEST_NAMESPACE, Manifest
from notice_cycle.handover import media, papers
from notice_cycle.handover.progress import Passage
from notice_cycle.printing import print_document
from notice_cycle.records import Disc, DiscBurnt, DiscPaperPrinted, DiscsMade, EncryptionRecord
from notice_cycle.values import sha256
from notice_cycle_airflow.run_context import RunningCycle

_log = logging.getLogger(__name__)
_LOG_EVERY_SECONDS = 10.0


def make_discs(cycle: RunningCycle) -> str:
    """Builds the images and prints their 盤面ラベル and 送付票, unless that is done already. Gives the discs' labels."""
    history = cycle.history()
    package = history.latest(EncryptionRecord).package
    made = next((fact for fact in history.facts(DiscsMade) if fact.package == package), None)
    if made is None:
        made = _made(cycle, package)
        cycle.note(made)
    _lay_out_papers(cycle, made)
    return "、".join(disc.label for disc in made.discs)


def burn_discs(cycle: RunningCycle) -> str:
    """Burns and reads back the next disc that is not burnt yet. Without a drive it says in the log what a person does.

    Raises Refused when another blank disc is wanted, Altered when the disc reads otherwise than it was written.
    """
    history = cycle.history()
    package = history.latest(EncryptionRecord).package
    made = next(fact for fact in reversed(history.facts(DiscsMade)) if fact.package == package)
    burnt = {fact.disc for fact in history.facts(DiscBurnt)}
    for number, disc in enumerate(made.discs, start=1):
        if disc in burnt:
            continue
        left = _burn(cycle, package, disc)
        if left:
            _log.info("%s %s", left.reason_ja, left.todo_ja)
            return "職員が書き込む"
        if number < len(made.discs):
            raise Refused(
                f"{disc.label} を書き込み、読み戻して一致しました（{len(made.discs)}枚中{number}枚）。",
                advice="ディスクにラベルを付けて金庫に入れ、新しい DVD-R（未使用）を装置に入れて、このタスクをクリアしてください。",
            )
    _log.info("装置で書き込み、読み戻して一致しました。次の書式に記入してください。")
    return f"書込み {len(made.discs)}枚"


def _burn(cycle: RunningCycle, package: str, disc: Disc) -> media.LeftToPerson | None:
    path, drive = cycle.settings.outbox / cycle.id / disc.image.name, cycle.settings.disc_drive
    image = media.describe_image(path)
    if image.image != disc.image:
        raise Altered(
            f"送信箱のイメージ {disc.image.name} が、作成した時の内容と異なります。",
            advice="書き込まずに止めました。触れた者がいないか確認し、やり直し（暗号化）をしてください。",
        )
    burner = media.find_burner()
    if drive is not None and drive.exists() and (read_back := _holds_it_already(drive, image)):
        _log.info("%s はすでに書き込まれています。読み戻して一致しました。", disc.label)
        program = "（書込み済み）"
    else:
        done = media.burn(path, drive, burner)
        if isinstance(done, media.LeftToPerson):
            return done
        _log.info("%s を %s で書き込みました。読み戻します。", disc.label, done.program)
        program, read_back = done.program, media.verify_disc(Path(done.device), image)
    cycle.note(
        DiscBurnt(
            package=package,
            disc=disc,
            program=program,
            device=str(drive),
            files_compared=read_back.files_compared,
            read_back_at=clock.now(),
        )
    )
    return None


def _holds_it_already(drive: Path, image: media.DiscImage) -> media.DiscReadBack | None:
    """A disc that a killed try has burnt. None for a blank one, another one, or no disc at all."""
    try:
        return media.verify_disc(drive, image)
    except (Altered, CannotLook):
        return None


def _progress() -> media.Progress:
    begun = told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told > _LOG_EVERY_SECONDS:
            told = now
            _log.info("%s", Passage("イメージ", done, total, done, now - begun).text_ja)

    return tell


def _made(cycle: RunningCycle, package: str) -> DiscsMade:
    folder, configuration, at = cycle.settings.outbox / cycle.id, cycle.configuration, clock.now()
    manifest = Manifest.parse((folder / MANIFEST).read_bytes())
    form = package_format(configuration.party.package.format)
    key = SigningKey.load(cycle.settings.signing_key)
    guide = papers.disc_guide(
        manifest,
        form,
        media.part_names(manifest.encrypted_file),
        contact=_contact(cycle),
        at=at,
    )
    extras = media.DiscExtras(
        ward_signers=f'{manifest.ward} namespaces="{MANIFEST_NAMESPACE}" {key.public_line}\n'.encode(),
        guide_pdf=guide.pdf,
        guide_text=guide.text,
        decrypter=media.decrypter_page() if form.id == "age" else None,
    )
    images = media.build_images(folder, extras, folder, signing_key=key, at=at, progress=_progress())
    return DiscsMade(
        package=package,
        discs=tuple(Disc(label=image.label, image=image.image) for image in images),
        made_at=at,
    )


def _lay_out_papers(cycle: RunningCycle, made: DiscsMade) -> None:
    """Prints each paper once. Its time is that of the images, so a task that died prints the same bytes again."""
    with cycle.ledger.locked(cycle.id, DiscPaperPrinted.kind()):
        printed = {fact.number for fact in cycle.history().facts(DiscPaperPrinted)}
        for number, typeset in _papers(cycle, made).items():
            if number in printed:
                continue
            pdf = typeset()
            print_document(cycle.settings, number, pdf)
            cycle.note(
                DiscPaperPrinted(
                    package=made.package, number=number, document_sha256=sha256(pdf), printed_at=clock.now()
                )
            )


def paper_again(cycle: RunningCycle, printed: DiscPaperPrinted, *, reissue: int) -> bytes:
    """A 盤面ラベル or 送付票 set again, marked 再発行. Raises Refused once the package has left the outbox."""
    manifest = cycle.settings.outbox / cycle.id / MANIFEST
    if not manifest.exists() or Manifest.parse(manifest.read_bytes()).package != printed.package:
        raise Refused(
            "送信箱のパッケージは廃棄済みのため、盤面ラベルと送付票は再発行できません。",
            advice="媒体を返却・裁断した後か、次のパッケージを作った後です。要る紙があれば、情報システム課に相談してください。",
        )
    made = [fact for fact in cycle.history().facts(DiscsMade) if fact.package == printed.package]
    return _papers(cycle, made[-1])[printed.number](reissue=reissue)


def _papers(cycle: RunningCycle, made: DiscsMade) -> dict[str, Callable[..., bytes]]:
    """By its number, what sets each paper: a label for each disc, and the 送付票."""
    configuration = cycle.configuration
    manifest = Manifest.parse((cycle.settings.outbox / cycle.id / MANIFEST).read_bytes())
    sets: dict[str, Callable[..., bytes]] = {
        papers.label_number(disc): partial(papers.disc_label, made.discs, number, manifest, at=made.made_at)
        for number, disc in enumerate(made.discs, start=1)
    }
    sets[papers.transmittal_number(made.package)] = partial(
        papers.transmittal,
        made.discs,
        manifest,
        package_format(configuration.party.package.format),
        section=configuration.notice.section,
        means_ja="手渡し ・ 簡易書留（○で囲む）",
        fingerprint=cycle.history().latest(EncryptionRecord).signer_fingerprint,
        contact=_contact(cycle),
        at=made.made_at,
    )
    return sets


def _contact(cycle: RunningCycle) -> str:
    """Whom to ask; the ward's own name stands before it."""
    return f"{cycle.configuration.notice.section} {cycle.configuration.mail.section}"
