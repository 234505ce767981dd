"""Which passwords the web UI takes: asked when a person chooses one, and of the first ones that `init` is given."""

import re

from flask_appbuilder.exceptions import PasswordComplexityValidationError

SHORTEST = 12
LONG_ENOUGH = 20
"""From this length on it need not mix kinds of characters: a sentence is as good."""

DIFFERENT_CHARACTERS = 6
KINDS = 3

_KINDS = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
RULE_JA = (
    f"パスワードは{SHORTEST}文字以上で、英大文字・英小文字・数字・記号のうち三種類以上を混ぜてください"
    f"（{LONG_ENOUGH}文字以上なら、種類は問いません）。"
)


def require_good_password(password: str) -> None:
    """Raises what Flask-AppBuilder shows beside the field, with the rule in Japanese."""
    kinds = sum(bool(re.search(kind, password)) for kind in _KINDS)
    mixed = kinds >= KINDS or len(password) >= LONG_ENOUGH
    if not mixed or len(password) < SHORTEST or len(set(password)) < DIFFERENT_CHARACTERS:
        raise PasswordComplexityValidationError(RULE_JA)
