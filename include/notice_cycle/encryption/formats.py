"""The two formats a package may have. The contract names one of them; there are no further options.

`age` is the rule. `zip-aes256` is for contractors who have nothing but 7-Zip, and for wards whose policy asks
for AES by name. A ZIP does not protect its own shape: its integrity is that of the signed manifest.
"""

from dataclasses import dataclass
from typing import Annotated, BinaryIO, Literal

from pydantic import StringConstraints

from notice_cycle.encryption import age, zip_aes
from notice_cycle.encryption.passphrase import Passphrase
from notice_cycle.errors import NotConfigured
from notice_cycle.values import Frozen

FormatId = Literal["age", "zip-aes256"]


@dataclass(frozen=True)
class PackageFormat:
    """What a format is called, where it shows: in file names, in the manifest, in records, in the contract."""

    id: FormatId
    ending: str
    manifest_word: Literal["age-v1-scrypt", "zip-aes256"]
    cipher: str
    opened_with_ja: str
    clause_ja: str


FORMATS = {
    each.id: each
    for each in (
        PackageFormat(
            id="age",
            ending=".age",
            manifest_word="age-v1-scrypt",
            cipher="age v1 (scrypt, ChaCha20-Poly1305)",
            opened_with_ja="復号ページ（open.html）、または age",
            clause_ja="印字データは、age 第1版の形式（共通鍵暗号 ChaCha20-Poly1305、鍵長256ビット、改ざん検知付き）で"
            "暗号化して受け渡す。パスワードは125ビット以上の乱数とし、データとは別の機会に通知する。",
        ),
        PackageFormat(
            id="zip-aes256",
            ending=".zip",
            manifest_word="zip-aes256",
            cipher="ZIP (WinZip AE-2: AES-256-CTR, HMAC-SHA1-80)",
            opened_with_ja="7-Zip（Windows のエクスプローラーでは開けません）",
            clause_ja="印字データは、AES-256 で暗号化した ZIP の形式で受け渡し、区が署名した送付目録との一致を確かめてから"
            "使用する。パスワードは125ビット以上の乱数とし、データとは別の機会に通知する。",
        ),
    )
}


class PackageTerms(Frozen):
    """What a contract says about the package: its format, and where it says so (`clause`, e.g. 仕様書 第5条)."""

    format: FormatId
    clause: Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^\S")]


def package_format(name: str) -> PackageFormat:
    """A format by its name, or NotConfigured."""
    for each in FORMATS.values():
        if each.id == name:
            return each
    raise NotConfigured(
        f"パッケージの形式 {name} はありません。",
        advice=f"契約の形式に {' か '.join(FORMATS)} のどちらかを指定してください。",
    )


def encrypt(
    form: PackageFormat, plain: BinaryIO, target: BinaryIO, passphrase: Passphrase, *, member_name: str
) -> None:
    """Write `plain` to `target` in constant memory. Give `target` a temporary name until this returns.

    `member_name`: what the file is called when it is opened, where the format keeps a name.
    """
    if form.id == "age":
        age.encrypt(plain, target, passphrase.reveal())
    else:
        zip_aes.encrypt(plain, target, passphrase.reveal(), member_name=member_name)


def decrypt(form: PackageFormat, source: BinaryIO, target: BinaryIO, passphrase: Passphrase) -> None:
    """Write the plaintext of `source` to `target`, which has a temporary name until this returns.

    Raises Refused for another passphrase and Altered for damaged bytes.
    """
    if form.id == "age":
        age.decrypt(source, target, passphrase.reveal())
    else:
        zip_aes.decrypt(source, target, passphrase.reveal())
