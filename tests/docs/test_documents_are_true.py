"""The documents against the code: what they name exists, and what the code has they name.

Tables that restate the code are compared line by line, commands are looked up, examples are parsed. A test that
fails here usually asks for one more line in docs/, and prints it.
"""

import ast
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest
import yaml
from tests.unit.contractor_kit.packages import a_package, quick_encryption

from contractor_kit import command_line
from contractor_kit.tables import METHODS, PURPOSES
from notice_cycle import clock, settings
from notice_cycle.accounts import AccountClosed
from notice_cycle.copies import CopiesDeclared, CopyTransferred, CopyViolation, PapersDestroyed
from notice_cycle.deadlines import AlertSent
from notice_cycle.decisions import REASONS_JA as DECISION_REASONS_JA
from notice_cycle.decisions import REDO_FROM
from notice_cycle.exchange.door import admit
from notice_cycle.exchange.messages import MESSAGE_NAMESPACE, MESSAGES
from notice_cycle.exchange.package import (
    CHECKSUMS,
    MANIFEST,
    MANIFEST_NAMESPACE,
    MANIFEST_SIGNATURE,
    Manifest,
)
from notice_cycle.exercise import ExerciseHeld
from notice_cycle.forms import SENT_BACK_REASONS
from notice_cycle.ledger.checkpoints import CHECKPOINT_NAMESPACE
from notice_cycle.opening import REASONS_JA
from notice_cycle.posting import Posted
from notice_cycle.preparation import PreparationOpened
from notice_cycle.pullout.facts import PulloutRequested
from notice_cycle.reconciliation import RESULTS_JA
from notice_cycle.records import Fact, Record
from notice_cycle.register import GatesJudged
from notice_cycle.restoration import REASONS_JA as RESTORATION_REASONS_JA
from notice_cycle.result_file import ResultColumn
from notice_cycle.returned_mail import ReturnedMail
from notice_cycle.stage import CYCLE_RECORDS, STAGES, predecessor_of
from notice_cycle.strays import StraysFound
from notice_cycle.unsent_mail import MailUnsent
from notice_cycle_airflow.pools import POOLS
from notice_cycle_airflow.roles import ROLES

# Facts that live with what enters them.
assert {AccountClosed, AlertSent, ExerciseHeld, GatesJudged, PreparationOpened, StraysFound} <= set(
    Fact.__subclasses__()
)
assert {
    CopiesDeclared,
    CopyTransferred,
    CopyViolation,
    MailUnsent,
    PapersDestroyed,
    Posted,
    PulloutRequested,
    ReturnedMail,
} <= set(Fact.__subclasses__())

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN = sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md"))])


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def code_blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text(name), flags=re.MULTILINE | re.DOTALL)


def section(name: str, heading: str) -> str:
    """From a heading of level 2 that contains `heading` to the next one of that level."""
    found = re.search(rf"^## [^\n]*{re.escape(heading)}.*?(?=^## |\Z)", text(name), re.MULTILINE | re.DOTALL)
    assert found, f"docs/{name} has no section {heading}"
    return found[0]


# ---- evidence.md


def _row(kept: type[Record] | type[Fact], *cells: str) -> str:
    fields = ", ".join(f"`{field}`" for field in kept.model_fields)
    return f"| `{kept.kind()}` | {kept.label_ja} | {''.join(f'{cell} | ' for cell in cells)}{fields} |"


def rows_of_records() -> Iterator[str]:
    """The chain, stage by stage, as evidence.md must show it."""
    for number, stage in enumerate(STAGES, start=1):
        for record in stage.records:
            before = predecessor_of(record)
            yield _row(record, f"{number} {stage.label_ja}", f"`{before.kind()}`" if before else "—")


def rows_of_facts() -> Iterator[str]:
    yield from (_row(fact) for fact in Fact.__subclasses__())


def test_evidence_tells_every_record_with_its_fields() -> None:
    expected = list(rows_of_records())
    assert len(expected) == len(CYCLE_RECORDS)
    assert [row for row in expected if row not in text("evidence.md").splitlines()] == []


def test_evidence_tells_every_fact_with_its_fields() -> None:
    assert [row for row in rows_of_facts() if row not in text("evidence.md").splitlines()] == []


def test_evidence_tells_no_kind_that_the_code_does_not_have() -> None:
    known = {kept.kind() for kept in (*CYCLE_RECORDS, *Fact.__subclasses__())}
    tables = section("evidence.md", "(records)") + section("evidence.md", "(facts)")
    told = set(re.findall(r"^\| `([a-z_]+)` \|", tables, re.MULTILINE))
    assert told == known | {"genesis"}


# ---- runbook.md


def test_every_stage_has_its_section_with_the_three_parts() -> None:
    for number, stage in enumerate(STAGES, start=1):
        assert f'<a id="{stage.id}"></a>\n\n## {number} {stage.label_ja} ({stage.id})\n' in text("runbook.md")
        told = section("runbook.md", f"({stage.id})")
        for part in ("### 画面で見えるもの", "### すること", "### 元に戻す"):
            assert part in told, f"{stage.id}: {part}"


def test_every_task_is_told_by_its_display_name_in_the_section_of_its_stage() -> None:
    titles = dict(_forms())
    for stage in STAGES:
        source = (ROOT / "dags" / "stages" / f"{stage.id}.py").read_text(encoding="utf-8")
        names = re.findall(r'task_display_name="(.+?)"', source)
        names += [f"書式: {titles[form]}" for form in re.findall(r"form=(\w+)", source)]
        assert names
        told = section("runbook.md", f"({stage.id})")
        assert [name for name in names if f"**{name}**" not in told] == []


def _forms() -> Iterator[tuple[str, str]]:
    for path in (ROOT / "include" / "notice_cycle").rglob("*.py"):
        yield from re.findall(
            r'class (\w+)\(Form\):.*?title_ja = "(.+?)"', path.read_text("utf-8"), re.DOTALL
        )


def test_every_mail_has_its_section() -> None:
    for path in sorted((ROOT / "include" / "config" / "mail").glob("*.yaml")):
        subject = yaml.safe_load(path.read_text(encoding="utf-8"))["subject"]
        told = section("runbook.md", f"({path.stem})")
        assert re.match(r"【.+?】", subject)[0] in told, path.stem


def test_the_runbook_tells_every_reason_and_stage_of_a_decision() -> None:
    reasons = [*DECISION_REASONS_JA.values(), *REASONS_JA.values(), *SENT_BACK_REASONS]
    assert [reason for reason in reasons if reason not in text("runbook.md")] == []
    restoring = section("runbook.md", "(record_restoration)")
    assert [reason for reason in RESTORATION_REASONS_JA.values() if reason not in restoring] == []
    redo = section("runbook.md", "やり直し")
    assert [stage.label_ja for stage in REDO_FROM if stage.label_ja not in redo] == []


ERRORS = {"CannotLook", "Refused", "Differs", "MalwareFound", "Altered", "NotConfigured", "Conflict"}
OURS = ("dags", "plugins", "include/notice_cycle")
# Sentences that no task of the ward raises: age files and passphrases are read by the contractor only, the
# premiums' arithmetic and a new key-encryption key belong to synthetic data and to installing.
NOT_MET = {
    "encryption/age.py",
    "encryption/zip_aes.py",
    "exchange/print_file.py",
    "encryption/passphrase.py",
    "所得段階 ",
    "は0〜12の外です",
    "の外です",
    "普通徴収の合計額が負です",
    "資格喪失日が資格取得日より前です",
    "普通徴収の納期がありません",
    "はすでにあります。",
    "を作れません（",
    "manifest.json が送付目録の形式ではありません。",
}


def sentences_of_errors() -> Iterator[tuple[str, list[str]]]:
    """Where an error is raised, and the constant parts of its sentence."""
    for folder in OURS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if any(str(path).endswith(name) for name in NOT_MET):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                    parts = list(_constants(node.args[0])) if node.args else []
                    if parts and not any(unmet in part for part in parts for unmet in NOT_MET):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", parts


def _constants(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(value)):
            yield value
        case ast.JoinedStr(values=values):
            for value in values:
                yield from _constants(value)
        case ast.BinOp(left=left, right=right):
            yield from _constants(left)
            yield from _constants(right)


def test_every_sentence_an_operator_may_meet_is_in_the_table() -> None:
    table = "".join(line for line in text("runbook.md").splitlines() if line.startswith("|"))
    missing = {
        where: longest
        for where, parts in sentences_of_errors()
        if (longest := max((part.strip() for part in parts), key=len)) not in table
    }
    assert missing == {}


@pytest.mark.parametrize("dag", ["incident", "incident_step"])
def test_the_forms_of_an_incident_have_their_section(dag: str) -> None:
    source = (ROOT / "dags" / f"{dag}.py").read_text(encoding="utf-8")
    told = section("runbook.md", "(report_incident, take_step)")
    names = re.findall(r'display_name="(.+?)"', source)
    assert len(names) == source.count("@task(") + 1
    assert [name for name in names if f"**{name}**" not in told] == []
    for part in ("### 画面で見えるもの", "### すること", "### 元に戻す"):
        assert part in told


@pytest.mark.parametrize(
    ("file", "tasks", "named"),
    [
        ("delivery_forms", "(enter_posting, record_pulled_out, enter_returned)", 6),
        ("kept_copies", "(ask_keeping, approve_keeping)", 4),
    ],
)
def test_the_forms_after_the_delivery_have_their_section(file: str, tasks: str, named: int) -> None:
    source = (ROOT / "dags" / f"{file}.py").read_text(encoding="utf-8")
    told = section("runbook.md", tasks)
    names = re.findall(r'display_name="(.+?)"', source)
    assert len(names) == named
    assert [name for name in names if f"**{name}**" not in told] == []
    for part in ("### 画面で見えるもの", "### すること", "### 元に戻す"):
        assert part in told


@pytest.mark.parametrize(
    "dag", ["ledger_restored", "ledger_audit", "passphrase_notice_void", "paper_reprint"]
)
def test_a_dag_for_operating_has_the_section_that_its_failure_mail_names(dag: str) -> None:
    source = (ROOT / "dags" / f"{dag}.py").read_text(encoding="utf-8")
    (task,) = re.findall(r"    def (\w+)\(\) -> str:", source)
    told = section("runbook.md", f"({task})")
    names = re.findall(r'display_name="(.+?)"', source)
    assert len(names) == 2
    assert [name for name in names if f"**{name}**" not in told] == []
    for part in ("### 画面で見えるもの", "### すること", "### 元に戻す"):
        assert part in told


# ---- operations.md


def test_operations_names_every_environment_variable() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    named = re.findall(r'(?:PREFIX \+ |_path\(|_required\()"([A-Z_]+)"', source)
    assert len(named) > 10
    variables = [*(settings.PREFIX + name for name in named), clock.CLOCK_FILE_VARIABLE]
    assert [name for name in variables if f"`{name}`" not in text("operations.md")] == []
    told = set(re.findall(r"NOTICE_CYCLE_[A-Z_]+[A-Z]", text("operations.md")))
    of_compose = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert told <= {*variables, *of_compose}


def test_operations_names_every_role_and_pool() -> None:
    assert [name for name in (*ROLES, *POOLS) if f"`{name}`" not in text("operations.md")] == []


def test_operations_connection_examples_are_json() -> None:
    examples = re.findall(r"^(AIRFLOW_CONN_[A-Z_]+)='(.*)'$", text("operations.md"), re.MULTILINE)
    assert {name for name, _ in examples} == {
        "AIRFLOW_CONN_LEDGER",
        "AIRFLOW_CONN_CORE_SYSTEM",
        "AIRFLOW_CONN_CONTRACTOR_LGWAN",
        "AIRFLOW_CONN_SMTP_DEFAULT",
    }
    for _, example in examples:
        assert "conn_type" in json.loads(example)


# ---- result-file.md


def test_the_result_file_is_told_with_every_item_and_result() -> None:
    items = get_args(ResultColumn.model_fields["item"].annotation)
    told = re.findall(r"^\| `([a-z_]+)` \|", text("result-file.md"), re.MULTILINE)
    assert set(told) == {"format", "item", *items, *RESULTS_JA}


# ---- exchange-format.md


def test_every_message_kind_has_an_example_that_parses() -> None:
    examples = {
        json.loads(block).get("message"): block for block in code_blocks("exchange-format.md", "json")
    }
    for kind, message in MESSAGES.items():
        parsed = message.parse(examples[kind].encode())
        assert set(json.loads(examples[kind])) == set(type(parsed).model_fields), (
            f"{kind}: a field is not shown"
        )


def test_the_manifest_example_parses() -> None:
    (example,) = [block for block in code_blocks("exchange-format.md", "json") if "encrypted_file" in block]
    manifest = Manifest.model_validate_json(example)
    of_requests = {"contents", "request_number"}  # left out where there is data to print
    assert set(json.loads(example)) == set(Manifest.model_fields) - of_requests
    assert Manifest.parse(manifest.content()) == manifest


def test_every_field_of_manifest_and_messages_is_told() -> None:
    told = text("exchange-format.md")
    fields = {name for model in (Manifest, *MESSAGES.values()) for name in model.model_fields}
    assert [name for name in sorted(fields) if f"`{name}`" not in told] == []


def test_the_kit_takes_every_command_line_of_the_document() -> None:
    parser = command_line._parser()
    lines = [
        line
        for block in code_blocks("exchange-format.md", "bash")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("python -m contractor_kit")
    ]
    used = {parser.parse_args(shlex.split(line)[3:]).run.__name__ for line in lines}
    assert used == {
        "check",
        "receipt",
        "open_",
        "content_receipt",
        "print_log",
        "delivery_report",
        "erasure_report",
        "erasure_certificate",
        "write",
        "show_template",
    }


def test_the_headings_and_words_of_the_lists_are_those_of_the_kit() -> None:
    told = text("exchange-format.md")
    source = (ROOT / "include" / "contractor_kit" / "tables.py").read_text(encoding="utf-8")
    headings = re.findall(r'"""[A-Z][a-z ]+: ([^.\s]+,[^.\s]+)\.', source)
    assert len(headings) == 3
    assert [line for line in headings if line not in told] == []
    for words in (PURPOSES, METHODS):
        assert [word for word, value in words.items() if f"{word}（`{value}`）" not in told] == []


def needs(*tools: str) -> pytest.MarkDecorator:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@needs("bash", "sha256sum", "ssh-keygen")
def test_the_stock_commands_for_checking_and_signing_do_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_encryption(monkeypatch)
    package = a_package(tmp_path / "made")
    ward = re.search(r'^WARD="(.+?)"', text("exchange-format.md"), re.MULTILINE)[1]
    desk = tmp_path / "desk"
    shutil.copytree(package.folder, desk)
    listed = package.ward_signers.read_text(encoding="utf-8").split(" ", 1)[1]
    (desk / "ward_signers").write_text(f"{ward} {listed}", encoding="utf-8")
    shutil.copy(package.contractor_key, desk / "contractor_key")
    answer = next(block for block in code_blocks("exchange-format.md", "json") if '"receipt"' in block)
    (desk / "receipt.json").write_text(answer, encoding="utf-8")
    blocks = [
        block
        for block in code_blocks("exchange-format.md", "bash")
        if re.search("ssh-keygen -Y|sha256sum -c", block)
    ]
    assert len(blocks) >= 2
    for block in blocks:
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], cwd=desk, capture_output=True, check=False
        )
        assert ran.returncode == 0, block + ran.stderr.decode()
    signature = (desk / "receipt.json.sig").read_bytes()
    cycle = json.loads(answer)["cycle"]
    admit(
        (desk / "receipt.json").read_bytes(),
        signature,
        MESSAGES["receipt"],
        cycle=cycle,
        signers={"example_print": "example_print"},
        contractor="example_print",
        allowed=package.contractors,
        at=clock.now(),
    )


@needs("bash", "sha256sum", "ssh-keygen")
def test_the_auditors_commands_for_a_package_do_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_encryption(monkeypatch)
    package = a_package(tmp_path / "made")
    ward = re.search(r'^WARD="(.+?)"', text("evidence.md"), re.MULTILINE)[1]
    desk = tmp_path / "desk"
    shutil.copytree(package.folder, desk)
    listed = package.ward_signers.read_text(encoding="utf-8").split(" ", 1)[1]
    (desk / "ward_signers").write_text(f"{ward} {listed}", encoding="utf-8")
    (block,) = [block for block in code_blocks("evidence.md", "bash") if "-s manifest.json.sig" in block]
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block], cwd=desk, capture_output=True, check=False
    )
    assert ran.returncode == 0, block + ran.stderr.decode()
    assert package.encryption.signer_fingerprint in ran.stdout.decode()


def test_namespaces_and_file_names_are_those_of_the_code() -> None:
    for name in ("exchange-format.md", "evidence.md"):
        used = set(re.findall(r"(?:-n |namespaces=\")(notice-cycle-\w+)", text(name)))
        assert used <= {MANIFEST_NAMESPACE, MESSAGE_NAMESPACE, CHECKPOINT_NAMESPACE}
        assert MANIFEST_NAMESPACE in used
        for file in (MANIFEST, MANIFEST_SIGNATURE, CHECKSUMS):
            assert file in text(name)
    assert [kind for kind in MESSAGES if f"{kind}.json" not in text("exchange-format.md")] == []


# ---- all of them


@pytest.mark.parametrize("path", WRITTEN, ids=[str(path.relative_to(ROOT)) for path in WRITTEN])
def test_commands_and_files_that_are_named_exist(path: Path) -> None:
    content = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", content, re.MULTILINE)) <= targets
    modules = set(re.findall(r"python3? -m ([a-z_.]+[a-z])", content))
    assert [name for name in modules if find_spec(name) is None] == []
    files = re.findall(
        r"`((?:deploy|docs|dags|include|plugins|tests|tools)/[\w./-]+|(?:Makefile|README\.md))`", content
    )
    assert [name for name in files if name != "README.md" and not (ROOT / name).exists()] == []
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", content)
    assert [name for name in links if not (path.parent / name).exists() and "README" not in name] == []


def test_the_architecture_is_told_in_150_lines_and_lists_all_decisions() -> None:
    lines = text("architecture.md").splitlines()
    assert len(lines) <= 150
    for adr in sorted((DOCS / "adr").glob("*.md")):
        assert f"adr/{adr.name}" in text("architecture.md")
        for part in ("## Context", "## Decision", "## Consequences"):
            assert part in adr.read_text(encoding="utf-8"), adr.name


@pytest.mark.skipif(not (ROOT / "README.md").exists(), reason="there is no README.md yet")
def test_the_readme_names_the_ten_stages_in_order() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    by_label = ".*?".join(re.escape(stage.label_ja) for stage in STAGES)
    by_id = ".*?".join(rf"\b{stage.id}\b" for stage in STAGES)
    assert re.search(by_label, readme, re.DOTALL) or re.search(by_id, readme, re.DOTALL)


def test_the_glossary_uses_the_stages_names_and_the_records_labels() -> None:
    glossary = text("glossary.md")
    for stage in STAGES:
        assert re.search(rf"\| {stage.label_ja} \|[^\n]*`{stage.id}`", glossary), stage.id
    assert [role for role in ROLES if role not in glossary] == []
