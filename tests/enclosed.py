"""Files with personal data as a contractor would enclose them, small and quickly made."""

import io

from notice_cycle.encryption import age, zip_aes

PASSPHRASE = "not a secret"


def encrypted_by_age(plain: bytes) -> bytes:
    target = io.BytesIO()
    age.encrypt(io.BytesIO(plain), target, PASSPHRASE, work_factor=2)
    return target.getvalue()


def encrypted_zip(plain: bytes) -> bytes:
    target = io.BytesIO()
    zip_aes.encrypt(io.BytesIO(plain), target, PASSPHRASE, member_name="enclosed.csv")
    return target.getvalue()
