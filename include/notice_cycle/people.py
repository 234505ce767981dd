"""Whom to tell: the addresses of each section's 担当, 係長, 課長 and 承認者, of the operator and of a contractor.

people.yaml names them; a section it does not name falls back to the addresses of parties.yaml. Addresses are
shared ones of an office, not a person's. Who may answer a form is not decided here.
"""

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from notice_cycle.deadline_rules import Role
from notice_cycle.errors import NotConfigured
from notice_cycle.values import Frozen

FILE_NAME = "people.yaml"


class SectionMail(Frozen):
    """The addresses of one section."""

    section: str
    chief: str
    director: str
    approver: str


class People(Frozen):
    """people.yaml with what parties.yaml knows. `copied_parties`: contractors that agreed to be told too.

    `register_section`: the section that is told what the register asks for.
    """

    operator: str
    register_section: str = ""
    sections: dict[str, SectionMail] = Field(default_factory=dict)
    copied_parties: tuple[str, ...] = ()
    parties: dict[str, str] = Field(default_factory=dict)
    fallback: SectionMail

    @model_validator(mode="after")
    def _knows_whose_register_it_is(self) -> Self:
        if self.register_section and self.register_section not in self.sections:
            raise ValueError("register_section は sections にある課にしてください")
        return self

    @classmethod
    def load(cls, config: Path) -> "People":
        """Reads both files; without people.yaml only the fallback is known. Raises NotConfigured naming the file."""
        listed = _mapping(config / "parties.yaml")
        path = config / FILE_NAME
        try:
            mail = listed["mail"]
            known = {
                "operator": mail["operator"],
                "fallback": {
                    "section": mail["section"],
                    "chief": mail["approver"],
                    "director": mail["approver"],
                    "approver": mail["approver"],
                },
                "parties": {name: party["mail"] for name, party in (listed.get("parties") or {}).items()},
            }
        except (KeyError, TypeError):
            raise NotConfigured(
                "parties.yaml の mail（section・approver・operator）か、委託先の mail がありません。",
                advice="parties.yaml に宛先を書いてください。直すまで、期限の知らせは届きません。",
            ) from None
        try:
            return cls.model_validate(known | (_mapping(path) if path.exists() else {}))
        except ValidationError as wrong:
            where = ".".join(str(part) for part in wrong.errors()[0]["loc"]) or "register_section"
            raise NotConfigured(
                f"宛先の設定 {path.name} の {where} が正しくありません。",
                advice="見本の項目名を確かめてください。直すまで、期限の知らせは届きません。",
            ) from None

    def address(self, role: Role, *, section: str = "", party: str = "") -> str:
        """Where a role is written to. Raises NotConfigured for a contractor that parties.yaml does not name."""
        if role == "operator":
            return self.operator
        if role == "contractor":
            if party not in self.parties:
                raise NotConfigured(
                    f"委託先 {party} の宛先がありません。", advice="parties.yaml に mail を書いてください。"
                )
            return self.parties[party]
        address: str = getattr(self.sections.get(section, self.fallback), role)
        return address

    @property
    def domain(self) -> str:
        """The part behind the @ by which message ids are told from other systems'."""
        return self.operator.rpartition("@")[2]


def _mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict):
        raise NotConfigured(
            f"宛先の設定 {path.name} を読めません。",
            advice="ファイルの場所、字下げ、コロンの後の空白を確かめてください。直すまで、期限の知らせは届きません。",
        )
    return content
