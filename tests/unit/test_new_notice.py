"""A tenth notice is data: items, an entry, a layout and a suite, and the product extracts, validates and composes it."""

import csv
import io
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import yaml
from tests.builders import CONFIG, CYCLE, SMALL_TOTAL_KEY

from notice_cycle.catalogue import mistakes, resolve
from notice_cycle.composition.compose import compose
from notice_cycle.extraction.extract import extract
from notice_cycle.extraction.source import ControlTotals
from notice_cycle.validation.validate import validate
from notice_cycle.vault import CycleVault
from notice_cycle.vault.names import PRINT_FILE

NOTICE = "refund_notice"
ITEMS = {
    "notice_no": "通知書番号",
    "insured_no": "被保険者番号",
    "postcode": "郵便番号",
    "address": "住所",
    "address_detail": "方書",
    "recipient_name": "送付先氏名",
    "recipient_suffix": "敬称",
    "refund_yen": "還付額",
}


def written(config: Path) -> None:
    """What docs/new-notice.md asks for, and nothing else."""

    def put(name: str, content: object) -> None:
        (config / name).write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    with (config / "items.yaml").open("a", encoding="utf-8") as items:
        items.write("refund_yen: {label_ja: 還付額}\n")
    put(
        f"notices/{NOTICE}.yaml",
        {
            "name_ja": "還付通知",
            "section": "介護保険課",
            "registered_work": "介護保険料の収納",
            "trigger_ja": "還付の決定の後に「トリガー」から始める",
            "source": {"kind": "sql", "connection": "core_system", "schema_name": "export"},
            "items": list(ITEMS),
            "totals": [{"item": "refund_yen", "label_ja": "還付額"}],
            "layout": f"{NOTICE}-1",
            "expectations": NOTICE,
            "party": "example_print",
            "route": "lgwan",
        },
    )
    made = {"data_kind": "データ区分", "cycle": "発送回", "envelope_no": "封筒番号"}
    columns = [{"heading_ja": heading, "item": item} for item, heading in (made | ITEMS).items()]
    put(f"layouts/{NOTICE}-1.yaml", {"charset": "utf-8", "columns": columns})
    rule = {
        "rule": "R01",
        "sentence_ja": "還付額は正の額である",
        "severity": "error",
        "requirement": "R5",
        "check": "between",
        "arguments": {"column": "refund_yen", "minimum": 1},
    }
    put(f"expectations/{NOTICE}.yaml", {"expectations": [rule]})


def test_a_new_notice_takes_no_code(tmp_path: Path, vault: CycleVault) -> None:
    config = tmp_path / "config"
    shutil.copytree(CONFIG, config, ignore=shutil.ignore_patterns("documents"))
    written(config)
    assert mistakes(config, 2026) == []
    configuration = resolve(config, NOTICE, 2026)
    people = [
        ["26990000001", "1000000001", "9999001", "架空区一丁目１", "", "見本　花子", "様", 1_200],
        ["26990000002", "1000000002", "9999000", "架空区二丁目２", "", "見本　太郎", "様", 0],
    ]
    table = pa.table(
        {item: list(column) for item, column in zip(ITEMS, zip(*people, strict=True), strict=True)}
    )
    control = ControlTotals(as_of=datetime(2026, 8, 1, tzinfo=UTC), persons=2, amounts={"refund_yen": 1_200})
    extraction = extract(
        control, table.to_reader(), configuration.notice, vault, small_total_key=SMALL_TOTAL_KEY
    )
    validation = validate(extraction, configuration, vault)
    assert [(rule.rule, rule.broken) for rule in validation.rules] == [("R01", 1)]
    composition = compose(
        extraction,
        validation,
        configuration,
        vault,
        cycle=CYCLE,
        synthetic=True,
        small_total_key=SMALL_TOTAL_KEY,
    )
    with vault.reading(PRINT_FILE) as source:
        headings, *rows = csv.reader(io.StringIO(source.read().decode("utf-8"), newline=""))
    assert headings[:3] == ["データ区分", "発送回", "封筒番号"]
    assert [row[3] for row in rows] == ["26990000002", "26990000001"]  # in order of the postcode
    assert composition.quantities.envelopes == 2
