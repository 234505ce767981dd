"""Which class of erasure (NIST SP 800-88) is enough for which carrier: include/config/erasure.yaml."""

from typing import Literal

from notice_cycle.values import Frozen

Method = Literal["clear", "purge", "destroy"]
METHODS_JA: dict[Method, str] = {"clear": "消去", "purge": "除去", "destroy": "破壊"}


class ErasureMethods(Frozen):
    """`allowed` by carrier; a carrier that is not told allows destruction only. `source`: on what it rests."""

    source: str = ""
    allowed: dict[str, tuple[Method, ...]] = {}  # noqa: RUF012 - pydantic copies it

    def is_enough(self, carrier: str, method: str) -> bool:
        """Whether data on a carrier count as erased by a method."""
        return method in self.allowed.get(carrier, ("destroy",))
