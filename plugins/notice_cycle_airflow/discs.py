"""Making the disc images of a package beside it in its outbox folder."""

from notice_cycle import clock
from notice_cycle.encryption.formats import package_format
from notice_cycle.encryption.sshsig import SigningKey
from notice_cycle.exchange.package import MANIFEST, MANIFEST_NAMESPACE, Manifest
from notice_cycle.handover import media, papers
from notice_cycle.records import Disc, DiscsMade, EncryptionRecord
from notice_cycle_airflow.run_context import RunningCycle


def make_discs(cycle: RunningCycle) -> str:
    """Builds the images unless they are made already. Gives their labels."""
    history = cycle.history()
    package = history.latest(EncryptionRecord).package
    made = next((fact for fact in history.facts(DiscsMade) if fact.package == package), None)
    if made is None:
        made = _made(cycle, package)
        cycle.note(made)
    return "、".join(disc.label for disc in made.discs)


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
    images = media.build_images(folder, extras, folder, signing_key=key, at=at)
    return DiscsMade(
        package=package,
        discs=tuple(Disc(label=image.label, image=image.image) for image in images),
        made_at=at,
    )
