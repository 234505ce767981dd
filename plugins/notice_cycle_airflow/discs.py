"""Making the disc images of a package beside it in its outbox folder, and burning them where there is a drive."""

import logging
import time
from pathlib import Path

from notice_cycle import clock
from notice_cycle.encryption.formats import package_format
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.errors import Altered, CannotLook, Refused
from notice_cycle.exchange.package import MANIFEST, MANIFEST_NAMESPACE, Manifest
from notice_cycle.handover import media, papers
from notice_cycle.handover.progress import Passage
from notice_cycle.records import Disc, DiscBurnt, DiscsMade, EncryptionRecord
from notice_cycle_airflow.run_context import RunningCycle

_log = logging.getLogger(__name__)
_LOG_EVERY_SECONDS = 10.0


def make_discs(cycle: RunningCycle) -> str:
    """Builds the images unless they are made already. Gives their labels."""
    history = cycle.history()
    package = history.latest(EncryptionRecord).package
    made = next((fact for fact in history.facts(DiscsMade) if fact.package == package), None)
    if made is None:
        made = _made(cycle, package)
        cycle.note(made)
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
        contact=f"{configuration.ward} {configuration.notice.section} {configuration.mail.section}",
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
