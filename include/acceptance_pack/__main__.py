"""`python -m acceptance_pack make|check`: the ward makes the pack for a contractor, and judges his answers.

    python -m acceptance_pack make pack --signing-key ward_key --notice premium_notice_ordinary --year 2026
    python -m acceptance_pack check pack answers --allowed-signers allowed_signers

`make` writes what goes to the contractor (`to_contractor`) and what stays (`ward`, with the passphrases: hand them over
on paper, on another occasion, also here). `check` names every scenario; exit status 1 while one is not passed.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from acceptance_pack import PACK_VERSION
from acceptance_pack.making import (
    Made,
    Maker,
    alter_the_manifest,
    flip_a_byte,
    lose_the_signature,
    rewrite,
    sign_with,
)
from acceptance_pack.scenarios import SCENARIOS, Answers, Scenario, Told
from notice_cycle import clock
from notice_cycle.catalogue import Configuration, resolve
from notice_cycle.encryption.sshsig import AllowedSigners, SigningKey
from notice_cycle.errors import NoticeCycleError, Refused
from notice_cycle.exchange import door
from notice_cycle.exchange.enclosures import container_of
from notice_cycle.exchange.messages import MESSAGES
from notice_cycle.exchange.package import MANIFEST
from notice_cycle.records import CompositionRecord, EncryptionRecord
from notice_cycle.settings import Settings
from notice_cycle.values import Frozen, sha256, stored_file

PACKAGES = (
    "sound",
    "replacing",
    "damaged",
    "missing",
    "stranger",
    "altered",
    "passphrase",
    "count",
    "unreadable",
    "other",
)
_NOT_OURS = "架空別会社株式会社"
_FIRST_ROUND = 901


class Outcome(Frozen):
    """How a scenario was answered. `reason_ja` is empty when it passed."""

    scenario: str
    title_ja: str
    reason_ja: str = ""


def make(pack: Path, configuration: Configuration, *, signing_key: Path, year: int, at: datetime) -> None:
    """Writes the pack into a new folder."""
    sending, kept = pack / "to_contractor", pack / "ward"
    sending.mkdir(parents=True)
    kept.mkdir(mode=0o700)
    key, stranger = SigningKey.load(signing_key), SigningKey(Ed25519PrivateKey.generate())
    made: dict[str, Made] = {}
    with tempfile.TemporaryDirectory(dir=kept) as vaults:
        maker = Maker(configuration, signing_key, Path(vaults), at)
        for name in PACKAGES:
            made[name] = maker.make(
                sending / name,
                _cycle_of(name, configuration, year),
                number=2 if name == "replacing" else 1,
                unagreed=name == "unreadable",
            )
    flip_a_byte(sending / "damaged")
    lose_the_signature(sending / "missing")
    sign_with(stranger, sending / "stranger")
    alter_the_manifest(sending / "altered")
    rewrite(sending / "count", key, lambda said: said["quantities"].update(envelopes=1))
    rewrite(sending / "other", key, lambda said: said.update(party_ja=_NOT_OURS))
    passphrases = {name: made["sound" if name == "passphrase" else name].passphrase for name in PACKAGES}
    known = {
        "version": PACK_VERSION,
        "notice": configuration.notice.id,
        "year": year,
        "at": at.isoformat(),
        "manifests": {name: sha256((sending / name / MANIFEST).read_bytes()) for name in PACKAGES},
        "packages": {
            name: {
                "composition": one.composition.model_dump(mode="json"),
                "encryption": one.encryption.model_dump(mode="json"),
            }
            for name, one in made.items()
        },
    }
    (kept / "known.json").write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
    (kept / "passphrases.txt").write_text(
        "".join(f"{name}\t{secret}\n" for name, secret in passphrases.items()), encoding="utf-8"
    )
    (sending / "scenarios.md").write_text(_told(), encoding="utf-8")


def _cycle_of(name: str, configuration: Configuration, year: int) -> str:
    """`replacing` is the second package of the sound one's cycle; the others are cycles of their own."""
    place = 0 if name == "replacing" else PACKAGES.index(name)
    return f"{year}-{configuration.notice.id}-supplementary-{_FIRST_ROUND + place}"


def _told() -> str:
    lines = [
        f"# {PACK_VERSION}",
        "",
        "すべて架空データです。印刷や発送はしないでください。届出の書き方は「受渡しの形式」（exchange-format.md）のとおりです。",
        "場面ごとに `answers/<場面>/` に届出と署名を置いてください。パスワードは別に渡します。",
        "日時・氏名・場所などは、ありそうな架空のもので構いません。",
        "",
        "| 場面 | パッケージ | 題 | すること | 出す届出 |",
        "|---|---|---|---|---|",
    ]
    for one in SCENARIOS:
        # Whoever must find the fault himself is told neither its name nor what to answer.
        kinds = (
            "、".join(f"`{kind}`" for kind in one.kinds)
            if "rejection" not in one.kinds
            else "（自分で決める）"
        )
        title = one.title_ja if "rejection" not in one.kinds else "（自分で見つける）"
        lines.append(f"| `{one.id}` | `{one.package}` | {title} | {one.asks_ja} | {kinds} |")
    return "\n".join([*lines, ""])


def check(pack: Path, answers: Path, allowed: AllowedSigners, *, config: Path, at: datetime) -> list[Outcome]:
    """Judges every scenario, each for itself."""
    told = _known(pack, config)
    return [_judged(scenario, answers / scenario.id, told, allowed, at) for scenario in SCENARIOS]


def _known(pack: Path, config: Path) -> Told:
    known = json.loads((pack / "ward" / "known.json").read_text(encoding="utf-8"))
    packages = {
        name: Made(
            CompositionRecord.model_validate(one["composition"]),
            EncryptionRecord.model_validate(one["encryption"]),
            "",
        )
        for name, one in known["packages"].items()
    }
    configuration = resolve(config, known["notice"], known["year"])
    return Told(packages, known["manifests"], configuration, datetime.fromisoformat(known["at"]))


def _judged(scenario: Scenario, folder: Path, told: Told, allowed: AllowedSigners, at: datetime) -> Outcome:
    outcome = Outcome(scenario=scenario.id, title_ja=scenario.title_ja)
    try:
        found = {
            kind: _admitted(kind, folder, scenario, told, allowed=allowed, at=at) for kind in scenario.kinds
        }
        _refuse_others(folder, scenario)
        if scenario.enclosed:
            _refuse_unencrypted(folder, found)
        scenario.judge(found, told)
    except NoticeCycleError as wrong:
        return outcome.model_copy(update={"reason_ja": wrong.message})
    return outcome


def _admitted(
    kind: str, folder: Path, scenario: Scenario, told: Told, *, allowed: AllowedSigners, at: datetime
) -> door.Admitted:  # type: ignore[type-arg]  # one of each kind
    model, party = MESSAGES[kind], told.configuration.party
    paths = [path for form in ("json", "csv") if (path := folder / f"{kind}.{form}").exists()]
    if len(paths) != 1:
        raise Refused(f"{model.label_ja}が一通だけ置かれていません。")
    signature = paths[0].with_name(paths[0].name + ".sig")
    admitted = door.admit(
        paths[0].read_bytes(),
        signature.read_bytes() if signature.exists() else b"",
        model,
        cycle=told.packages[scenario.package].encryption.package.rsplit("-p", 1)[0],
        signers={party.signer: party.id},
        contractor=party.id,
        allowed=allowed,
        at=at,
        form=door.form_of(paths[0].name),
    )
    if admitted.message.manifest_sha256 != told.manifests[scenario.package]:
        raise Refused(f"{model.label_ja}が、場面のパッケージの送付目録についてのものではありません。")
    return admitted


def _refuse_others(folder: Path, scenario: Scenario) -> None:
    """A receipt beside a rejection is no answer."""
    others = sorted(
        kind
        for kind in MESSAGES.keys() - set(scenario.kinds)
        if any((folder / f"{kind}.{form}").exists() for form in ("json", "csv"))
    )
    if others:
        raise Refused(f"この場面で出すものではない届出があります（{'・'.join(others)}）。")


def _refuse_unencrypted(folder: Path, found: Answers) -> None:
    message = found["enclosure"].message
    path = folder / message.file
    if not path.exists():
        raise Refused(f"添付ファイル {message.file} がありません。")
    file = stored_file(path)
    if (file.size_bytes, file.sha256) != (message.size_bytes, message.file_sha256):
        raise Refused("添付ファイルの大きさまたは SHA-256 が、届出と一致しません。")
    with path.open("rb") as source:
        container_of(source)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Exit status 1 after a sentence, or while a scenario is not passed."""
    parser = argparse.ArgumentParser(prog="python -m acceptance_pack", description="委託先の受入試験")
    commands = parser.add_subparsers(dest="command", required=True)
    asks = commands.add_parser("make", help="受入試験の一式を作る")
    asks.add_argument("pack", type=Path)
    asks.add_argument("--signing-key", type=Path, required=True, help="区の署名鍵")
    asks.add_argument("--notice", default="premium_notice_ordinary")
    asks.add_argument("--year", type=int, default=2026)
    asks = commands.add_parser("check", help="委託先の答えを場面ごとに判定する")
    asks.add_argument("pack", type=Path)
    asks.add_argument("answers", type=Path)
    asks.add_argument("--allowed-signers", type=Path, required=True)
    given = parser.parse_args(arguments)
    config, now = Settings().config_folder, clock.now()
    try:
        if given.command == "make":
            configuration = resolve(config, given.notice, given.year)
            make(given.pack, configuration, signing_key=given.signing_key, year=given.year, at=now)
            print(
                f"{len(SCENARIOS)}の場面を作りました。to_contractor を委託先に渡し、ward は区に残してください。"
            )
            return 0
        allowed = AllowedSigners.load(given.allowed_signers)
        outcomes = check(given.pack, given.answers, allowed, config=config, at=now)
    except NoticeCycleError as wrong:
        print(wrong, file=sys.stderr)
        return 1
    for one in outcomes:
        print(
            f"{'合格' if not one.reason_ja else '不合格'}  {one.scenario}  {one.title_ja}  {one.reason_ja}".rstrip()
        )
    failed = sum(bool(one.reason_ja) for one in outcomes)
    if failed:
        print(f"{failed}の場面が不合格です。直した届出で、もう一度判定してください。")
        return 1
    known = sha256((given.pack / "ward" / "known.json").read_bytes())[:12]
    print(
        f"すべて合格です。登録簿の書式「受入試験の合格」に、試験の版「{PACK_VERSION}（{known}）」と今日の日付を登録してください。"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
