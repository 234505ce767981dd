"""Every error the product raises on purpose, as one small tree.

    NoticeCycleError
    ├── CannotLook      something outside does not answer now: try again, then tell the operator
    │   └── NotThereYet     what is awaited has not come: look again, as long as it takes
    ├── Refused         what was given is wrong: a person must put it right, then the stage runs again
    │   ├── Differs         two sides do not say the same: kept open as a discrepancy until a right answer
    │   ├── Altered         bytes differ from what was signed, promised or recorded
    │   └── NotConfigured   catalogue, parties or settings name something wrong or nothing
    └── Conflict        two different truths for the same thing: stop and ask a person

The class answers "retry, ask a person, or stop?"; the message says what happened and `advice` what to
do now, both in Japanese because officers read them. Messages carry counts, ids and digests, never
personal data: they reach logs and mails as they stand.
"""


class NoticeCycleError(Exception):
    """Base of the tree. `advice`: one Japanese sentence saying what to do now."""

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} → {self.advice}" if self.advice else self.message


class CannotLook(NoticeCycleError):
    """Something outside does not answer; nothing is known about its content. Retry."""


class NotThereYet(CannotLook):
    """What is awaited has not come, or not whole. Look again later; a due date tells who is late."""


class Refused(NoticeCycleError):
    """What was given is wrong and stays wrong until a person puts it right."""


class Differs(Refused):
    """What a person stated is not what the records or the register say."""


class Altered(Refused):
    """Bytes differ from what was signed, promised or recorded."""


class NotConfigured(Refused):
    """The catalogue, the parties or the settings name something wrong or nothing."""


class Conflict(NoticeCycleError):
    """Two different truths for the same thing; only a person can say which holds."""
