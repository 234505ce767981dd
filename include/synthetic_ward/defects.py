"""The planted defects: at least fifty named mistakes, some of them replays of incidents that made the news.

Each is put at one place into an otherwise clean ward (how: `planting`); a test shows that the stage and the rules
named here find it. What was published is the kind of error; the persons are the invented ward's.
"""

import codecs
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow.compute as pc

from notice_cycle.composition import windows31j
from notice_cycle.values import sha256
from synthetic_ward.planting import (
    DropDefect,
    FoundBy,
    Offered,
    Plant,
    Planted,
    Row,
    RowDefect,
    Spoil,
    above,
    against_the_control,
    agreeing,
    having,
    one_row,
    saying,
    share_of_rows,
    taking_from_another,
    with_a_row_twice,
    with_column,
    with_values,
    without_a_row,
    without_column,
)
from synthetic_ward.residents import Rng
from synthetic_ward.ward import (
    ADDRESSEE,
    BOOKLET,
    BURDEN,
    CHANGE,
    DEMAND,
    ORDINARY,
    PROVISIONAL,
    REMINDER,
    SLIP_COLUMNS,
    SPECIAL,
    SUPPORT,
)

_AN_INDIVIDUAL_NUMBER = "123456789018"  # an example: its check digit is right, nobody has it
_HOME = ("postcode", "address", "address_detail")
_AT_HOME = having(recipient_kind="self")
_SETTLED = having(recipient_kind="self", months=12)
_FULL_YEAR = having(months=12, payment_means="slip")


def _rule(  # noqa: PLR0917 - the columns of a table
    notice: str, name: str, title_ja: str, story_ja: str, plant: Plant, rules: str, batch: str = ""
) -> RowDefect:
    """A defect that the rules find."""
    return RowDefect(name, title_ja, story_ja, notice, "validation", plant, tuple(rules.split()), batch)


def _stage(  # noqa: PLR0917 - as above
    notice: str, name: str, title_ja: str, story_ja: str, plant: Plant, found_by: FoundBy = "extraction"
) -> RowDefect:
    """A defect that another stage stops."""
    return RowDefect(name, title_ja, story_ja, notice, found_by, plant)


def _drop(notice: str, name: str, title_ja: str, story_ja: str, spoil: Spoil) -> DropDefect:
    return DropDefect(name, title_ja, story_ja, notice, "extraction", spoil)


# ---- ways in which these go wrong


def _more(item: str, yen: int = 100) -> Callable[[Row], int]:
    return lambda row: row[item] + yen


def _plus(*items: str, yen: int = 100) -> dict[str, object]:
    """The same sum more in each of these."""
    return {item: _more(item, yen) for item in items}


def _same_surname_at_the_same_address(clean: Offered, rng: Rng) -> Planted:
    """Two registered addressees who may share become alike but for the given name."""
    shares = pc.and_(clean.rows["share_envelope"], pc.equal(clean.rows["recipient_kind"], "family"))
    numbers = pc.indices_nonzero(shares).to_numpy()
    ids = [clean.rows["recipient_id"][int(number)].as_py() for number in numbers]
    alone = [int(number) for number, one in zip(numbers, ids, strict=True) if ids.count(one) == 1]
    first, second = (int(number) for number in rng.choice(alone, 2, replace=False))
    model, other = (clean.rows.slice(number, 1).to_pylist()[0] for number in (first, second))
    surname, given = model["recipient_name"].split("　")[0], other["recipient_name"].split("　")[1]
    changed = {item: model[item] for item in _HOME} | {"recipient_name": f"{surname}　{given}"}
    return Planted(agreeing(clean, with_values(clean.rows, second, changed)), (second,))


def _one_of_a_couple_elsewhere(clean: Offered, rng: Rng) -> Planted:
    at_home = clean.rows.filter(pc.equal(clean.rows["recipient_kind"], "self"))
    households = pc.value_counts(at_home["household_no"])
    couple = households.field("values").filter(pc.greater(households.field("counts"), 1))[0].as_py()
    plant = one_row(having(household_no=couple, recipient_kind="self"), address="架空区柿の木坂下９９番９号")
    return plant(clean, rng)


def _decided_in_the_other_run(clean: Offered, rng: Rng) -> Planted:
    twice = f"{int(rng.choice(clean.siblings)):010d}"
    return one_row(insured_no=twice)(clean, rng)


def _consent_of_one_only(clean: Offered, rng: Rng) -> Planted:
    sharing = clean.rows.filter(clean.rows["share_envelope"])
    recipients = pc.value_counts(sharing["recipient_id"])
    several = recipients.field("values").filter(pc.greater(recipients.field("counts"), 1))[0].as_py()
    return one_row(having(recipient_id=several), share_envelope=False)(clean, rng)


def _remainder_last(row: Row) -> int:
    remainder: int = row["instalment_07"] - row["instalment_08"]
    return remainder


def _other_population(**change: int) -> Plant:
    return saying(
        population=lambda said: (
            said.population | {name: said.population[name] + more for name, more in change.items()}
        )
    )


# ---- replays of published incidents

_INCIDENTS = (
    _rule(ORDINARY, "kasama-2021-barcode", "別人の納付番号のバーコード",
          "笠間市（2021年）: バーコードと封入の誤りで、2,490通のうち1,451通に別人の納付書が入った。",
          taking_from_another("payment_no", where=having(payment_means="slip")), "B01"),
    _rule(ORDINARY, "kasama-2021-slip", "別人の額の納付書",
          "笠間市（2021年）の誤りで、納付書の額が通知書の額と異なる場合。",
          one_row(_FULL_YEAR, **_plus(*SLIP_COLUMNS[1:])), "B04"),
    _rule(ORDINARY, "kasama-2021-enclosing", "別人の宛名番号での同封",
          "笠間市（2021年）の封入の誤りが、データで起きる場合。宛名番号が別人のものになり、一つの番号に二人が立つ。",
          taking_from_another("recipient_id", where=_AT_HOME, other=_AT_HOME), "N08"),
    _rule(ORDINARY, "satsumasendai-2025-threshold", "前年度の所得の基準額",
          "薩摩川内市（2025年）: システムの所得の基準額が前年度のままで、657通の段階を誤った。",
          one_row(having(stage=4), threshold_yen=809_000), "S12"),
    _rule(SPECIAL, "satsumasendai-2025-pensioners", "前年度の所得の基準額（特別徴収）",
          "薩摩川内市（2025年）の誤りが、特別徴収の決定通知に起きた場合。",
          one_row(having(stage=1), threshold_yen=809_000), "S12"),
    _rule(REMINDER, "hiratsuka-2008-paid-since", "納付済みの者への督促（コンビニ納付の消込前）",
          "平塚市（2008年）: コンビニ納付が消し込まれる前に督促状を作り、70人の納付済みの者へ送った。",
          one_row(paid_since_yen=lambda row: row["overdue_yen"]), "E11"),
    _rule(REMINDER, "yoshioka-2025-paid", "納付済みの者への督促（納付済額が引かれていない）",
          "吉岡町（2025年）: 納付済みの66件に督促状を送った。",
          one_row(paid_yen=lambda row: row["payable_yen"]), "E01"),
    _rule(DEMAND, "yoshioka-2025-demand", "納付済みの者への催告",
          "吉岡町（2025年）の誤りが、催告書に起きた場合。",
          one_row(paid_since_yen=lambda row: row["overdue_total_yen"]), "E11"),
    _rule(ORDINARY, "sapporo-2023-surname", "同じ姓・同じ住所の別人",
          "札幌市（2023年）: 同じ姓の別人を同じ世帯として扱った。",
          _same_surname_at_the_same_address, "N10"),
    _rule(ORDINARY, "sapporo-2023-household", "同じ宛名番号の別人",
          "札幌市（2023年）の誤りが、宛名番号の付け方に起きた場合。",
          taking_from_another("recipient_id", "share_envelope", where=having(recipient_kind="family"),
                              other=having(recipient_kind="guardian")), "N08"),
    _rule(ORDINARY, "iga-2022-account", "納付書払いの者に口座振替の様式",
          "伊賀市（2022年）: 3,162通のうち532通で納付区分を誤って印字した。",
          one_row(_FULL_YEAR, payment_means="account"), "B05"),
    _rule(ORDINARY, "iga-2022-slip", "口座振替の者に納付書払いの様式",
          "伊賀市（2022年）の逆の誤り。納付書に額がない。",
          one_row(having(payment_means="account"), payment_means="slip"), "B04"),
    _rule(SPECIAL, "konan-2025-pension-file", "年金保険者へ通知した額との相違",
          "湖南市（2025年）: データ処理の手順を一つ飛ばし、3,704人から過大に、1,663人から過少に天引きした。",
          one_row(**_plus("pension_file_yen", yen=-300)), "M09"),
    _rule(PROVISIONAL, "konan-2025-provisional", "年金保険者へ通知した仮徴収額との相違",
          "湖南市（2025年）の誤りが、仮徴収通知に起きた場合。",
          one_row(**_plus("pension_file_yen", yen=600)), "M09"),
)  # fmt: skip

# ---- numbers, persons, addressees, characters

_FORMATS = (
    _rule(ORDINARY, "notice-number-short", "10桁の通知書番号", "先頭の桁が落ちた通知書番号。",
          one_row(notice_no=lambda row: row["notice_no"][1:], payment_no=lambda row: row["notice_no"][1:]), "N01 B02"),
    _rule(ORDINARY, "notice-number-twice", "通知書番号の重複", "別人と同じ通知書番号で、納付番号も同じ。",
          taking_from_another("notice_no", "payment_no"), "N02"),
    _rule(SPECIAL, "check-digit", "被保険者番号の検査数字の誤り", "最後の1桁を打ち誤った被保険者番号。",
          one_row(insured_no=lambda row: row["insured_no"][:9] + str((int(row["insured_no"][9]) + 1) % 10)), "P01"),
    _rule(ORDINARY, "second-category-number", "Hで始まる番号", "介護保険の被保険者でないみなし2号の番号。",
          one_row(insured_no=lambda row: "H" + row["insured_no"][1:]), "P01"),
    _rule(ORDINARY, "decided-twice", "同じ人への2通の決定", "同じ被保険者が、別の通知書番号でもう一度現れる。",
          taking_from_another(*ADDRESSEE, "acquired_on", where=_SETTLED, other=_SETTLED), "N03"),
    _rule(ORDINARY, "decided-in-both-runs", "普通徴収と特別徴収の両方の決定",
          "特別徴収の決定を受けた者が、普通徴収の通知にも現れる。", _decided_in_the_other_run, "N05"),
    _rule(SPECIAL, "household-number", "9桁の世帯番号", "世帯番号の桁が足りない。",
          one_row(household_no=lambda row: row["household_no"][1:]), "N06"),
    _rule(BURDEN, "recipient-number", "9桁の宛名番号", "宛名番号の桁が足りない。",
          one_row(_AT_HOME, recipient_id=lambda row: row["recipient_id"][1:]), "N07"),
    _rule(SPECIAL, "couple-apart", "同じ世帯の二つの住所", "夫婦の一方だけ、転居前の住所のまま。",
          _one_of_a_couple_elsewhere, "N09"),
    _rule(ORDINARY, "null-address", "空の住所", "住所が入っていない。", one_row(address=None), "N04"),
    _rule(SUPPORT, "blank-address", "空白だけの住所", "住所が全角の空白だけ。", one_row(_AT_HOME, address="　"), "A02"),
    _rule(DEMAND, "blank-name", "空白だけの氏名", "氏名が全角の空白だけ。",
          one_row(_AT_HOME, insured_name="　", recipient_name="　"), "P02"),
    _rule(BOOKLET, "blank-recipient", "空の送付先氏名", "べんり帳の宛名が空。", one_row(recipient_name=""), "A03"),
    _rule(ORDINARY, "postcode-hyphen", "ハイフン入りの郵便番号", "郵便番号が 999-9001 の形になった。",
          one_row(_AT_HOME, postcode=lambda row: f"{row['postcode'][:3]}-{row['postcode'][3:]}"), "A01"),
    _rule(BOOKLET, "postcode-nought", "0だけの郵便番号", "郵便番号の分からない住所に 0000000 が入った。",
          one_row(postcode="0000000"), "A01"),
    _rule(ORDINARY, "address-too-long", "欄に入らない住所", "住所が様式の欄より長く、印字すると切れる。",
          one_row(_AT_HOME, address="架空区" + "長い町名の" * 9 + "１番１号"), "C04"),
    _rule(ORDINARY, "other-persons-name", "本人あてで別人の氏名", "送付先氏名だけが別人になった。",
          one_row(_AT_HOME, recipient_name="見本　取違"), "A05"),
    _rule(BURDEN, "unknown-recipient-kind", "登録にない送付先の区分", "送付先の区分が登録の4種でない。",
          one_row(_AT_HOME, recipient_kind="friend"), "A04"),
    _rule(ORDINARY, "guardian-as-office", "成年後見人に御中", "成年後見人の敬称が施設のもの。",
          one_row(having(recipient_kind="guardian"), recipient_suffix="御中"), "A08"),
    _rule(ORDINARY, "care-of-oneself", "本人の「様方」", "家族あての宛名が本人の氏名のまま。",
          one_row(having(recipient_kind="family"), recipient_name=lambda row: row["insured_name"]), "A09"),
    _rule(ORDINARY, "unregistered-guardian", "宛名番号のない成年後見人", "後見人あてなのに、宛名番号が0。",
          one_row(having(recipient_kind="guardian"), recipient_id="0000000000"), "A07"),
    _rule(PROVISIONAL, "sharing-without-register", "本人あての同封", "登録された送付先でないのに、同封の対象になった。",
          one_row(_AT_HOME, share_envelope=True), "A13"),
    _rule(SPECIAL, "protected-unconfirmed", "確認されていない支援措置",
          "支援措置のある者の送付先を、担当がまだ確認していない。",
          one_row(having(support_measure="confirmed"), support_measure="unconfirmed"), "A11"),
    _rule(SUPPORT, "protected-unknown", "知らない支援措置の区分", "支援措置の区分が空。",
          one_row(support_measure=""), "A10"),
    _rule(ORDINARY, "individual-number-in-address", "方書の中の個人番号", "方書の欄に個人番号が書かれている。",
          one_row(address_detail=f"若葉荘　{_AN_INDIVIDUAL_NUMBER}"), "F03"),
    _rule(BURDEN, "individual-number-wide", "全角で書かれた個人番号", "住所の後に、全角で4桁ずつ書かれた個人番号。",
          one_row(address_detail="１２３４　５６７８　９０１８"), "F03"),
    _rule(ORDINARY, "private-use-character", "外字", "取り決めていない外字が氏名にある。",
          one_row(_AT_HOME, insured_name="\ue7ff川　和子", recipient_name="\ue7ff川　和子"), "A06"),
    _rule(SPECIAL, "outside-repertoire", "文字集合にない漢字", "氏名に𠮷（つちよし）がある。",
          one_row(_AT_HOME, insured_name="𠮷田　清", recipient_name="𠮷田　清"), "A06"),
    _rule(DEMAND, "variation-selector", "異体字の指定", "氏名に異体字セレクター（IVS）がある。",
          one_row(_AT_HOME, insured_name="辻\U000e0100　実", recipient_name="辻\U000e0100　実"), "A06"),
    _rule(PROVISIONAL, "wave-dash", "変換で変わる記号", "住所の「〜」は、CP932 で別の文字に変わる。",
          one_row(_AT_HOME, address_detail="若葉荘１〜３号室"), "A06"),
    _rule(SUPPORT, "private-use-in-center", "送付先でない項目の外字", "担当の名称に、取り決めていない外字がある。",
          one_row(center="架空区\ue7fe見地域包括支援センター"), "A06"),
    _rule(CHANGE, "line-end-in-address", "住所の中の改行", "方書に改行があり、行がずれる。",
          one_row(address_detail="若葉荘\n１０１号室"), "C01"),
    _rule(ORDINARY, "half-width-kana", "氏名の半角カナ", "送付先氏名に半角カナがある。",
          one_row(having(recipient_kind="family"), recipient_name="ｻﾄｳ　ﾊﾅｺ"), "C02"),
    _rule(SPECIAL, "kana-with-kanji", "カナの欄の漢字", "氏名カナに漢字がある。", one_row(insured_kana="佐藤　ハナ"), "P06"),
    _rule(BURDEN, "half-width-space", "姓名の間の半角空白", "姓と名の間が半角の空白。",
          one_row(_AT_HOME, insured_name="見本 花子", recipient_name="見本 花子"), "P07"),
    _rule(SUPPORT, "trailing-blank", "氏名の後の空白", "氏名の後に全角の空白がある。",
          one_row(_AT_HOME, insured_name="見本　花子　", recipient_name="見本　花子　"), "C03"),
)  # fmt: skip

# ---- eligibility, stage, amounts

_AMOUNTS = (
    _rule(SPECIAL, "acquired-before-65", "65歳より前の資格取得", "1日生まれの到達日を数え違えた。",
          one_row(above(acquired_on=date(2000, 4, 2)),
                  acquired_on=lambda row: row["birth_date"].replace(year=row["birth_date"].year + 64, day=1)), "P03"),
    _rule(ORDINARY, "lost-before-acquired", "取得より前の資格喪失", "資格喪失日が資格取得日より前。",
          one_row(lost_on=lambda row: row["acquired_on"] - timedelta(days=1)), "P04 S13"),
    _rule(SPECIAL, "not-yet-65", "65歳になっていない者", "生年月日の10年を誤った。",
          one_row(birth_date=date(1971, 5, 5)), "P05"),
    _rule(SPECIAL, "acquired-in-the-future", "基準日より後の資格取得", "まだ転入していない者の決定。",
          one_row(acquired_on=date(2027, 1, 15)), "P08 M12 S13"),
    _rule(ORDINARY, "unknown-stage", "第19段階", "保険料表にない段階。", one_row(having(stage=18), stage=19), "S01"),
    _rule(ORDINARY, "old-premium-table", "前期の保険料表", "段階別年額が前の期の表のまま。",
          one_row(having(stage=5), stage_annual_yen=69_600), "S03"),
    _rule(ORDINARY, "rounded-up", "切上げた年額", "月割の端数を切り捨てず、切り上げた。",
          one_row(having(months=11, payment_means="slip"),
                  **_plus("annual_yen", "ordinary_total_yen", "instalment_07", "slip_07")), "S04"),
    _rule(ORDINARY, "months-miscounted", "1か月多い賦課月数", "1日生まれでないのに、前の月から数えた。",
          one_row(having(months=10), months=11), "S13"),
    _rule(CHANGE, "lost-month-counted", "喪失の月を数えた", "喪失の月まで数え、1か月分多く賦課した。",
          one_row(having(change_reason="lost"), **_plus("months", yen=1)), "S13"),
    _rule(ORDINARY, "instalments-do-not-add-up", "期別の合計の相違", "第9期だけ100円多い。",
          one_row(_FULL_YEAR, **_plus("instalment_03", "slip_03")), "S05"),
    _rule(ORDINARY, "methods-do-not-add-up", "普徴と特徴の合計の相違", "併用徴収の特別徴収額が100円少ない。",
          one_row(having(collection_method="mixed"), **_plus("special_total_yen", yen=-100)), "S06"),
    _rule(ORDINARY, "odd-yen", "100円単位でない期別", "二つの期の間で50円がずれた。",
          one_row(_FULL_YEAR, **_plus("instalment_08", "slip_08", yen=50),
                  **_plus("instalment_09", "slip_09", yen=-50)), "S07"),
    _rule(ORDINARY, "remainder-last", "端数が最後の期", "端数を第1期でなく第9期に置いた。",
          one_row(lambda rows: pc.and_(_FULL_YEAR(rows), pc.greater(rows["instalment_07"], rows["instalment_08"])),
                  instalment_07=lambda row: row["instalment_08"], slip_07=lambda row: row["slip_08"],
                  instalment_03=lambda row: row["instalment_03"] + _remainder_last(row),
                  slip_03=lambda row: row["slip_03"] + _remainder_last(row)), "S08"),
    _rule(ORDINARY, "negative-instalment", "負の期別", "過納分を期別から引き、負の額になった。",
          one_row(having(payment_means="account", months=12), instalment_08=lambda row: -row["instalment_08"],
                  instalment_09=lambda row: row["instalment_09"] + 2 * row["instalment_08"]), "S11"),
    _rule(ORDINARY, "past-instalment", "納期限の過ぎた期の額", "8月の随時決定なのに、7月の期に額がある。",
          one_row(instalment_07=lambda row: row["instalment_08"], instalment_08=0, slip_07=lambda row: row["slip_08"],
                  slip_08=0), "S15", "08-supplementary"),
    _rule(ORDINARY, "ordinary-with-special", "普通徴収に特別徴収額", "天引きの始まっていない者に特別徴収額がある。",
          one_row(having(collection_method="mixed"), collection_method="ordinary"), "S09 K05"),
    _rule(ORDINARY, "mixed-without-special", "併用徴収に特別徴収額がない", "普通徴収だけの者が併用徴収になった。",
          one_row(having(collection_method="ordinary"), collection_method="mixed"), "S16 K05"),
    _rule(ORDINARY, "pensioner-among-ordinary", "普通徴収の通知に特別徴収の者", "徴収方法が特別徴収。",
          one_row(having(collection_method="mixed"), collection_method="special"), "S17 K05"),
    _rule(ORDINARY, "nothing-to-pay", "0円の納入通知", "全額が特別徴収なのに、納入通知書が出る。",
          one_row(having(payment_means="account"), ordinary_total_yen=0), "S10"),
    _rule(ORDINARY, "due-on-sunday", "日曜の納期限", "納期限が休日で、翌開庁日に直っていない。",
          one_row(first_due_on=date(2026, 8, 2)), "D01 D02"),
    _rule(CHANGE, "due-before-decision", "基準日より前の納期限", "変更通知の最初の納期限が過ぎている。",
          one_row(first_due_on=date(2026, 7, 31)), "D03"),
    _rule(SPECIAL, "deductions-do-not-add-up", "天引き額の合計の相違", "2月の天引き額だけ100円多い。",
          one_row(**_plus("special_02")), "M01"),
    _rule(SPECIAL, "deducted-less-than-decided", "決定年額と異なる特別徴収額", "天引きの合計が決定年額に足りない。",
          one_row(**_plus("special_02", "special_total_yen", "pension_file_yen", yen=-100)), "M02"),
    _rule(SPECIAL, "uneven-deductions", "かたよった本徴収", "12月の天引きを10月に寄せた。",
          one_row(above(special_12=1_000), **_plus("special_10", yen=600), **_plus("special_12", yen=-600)), "M07"),
    _rule(SPECIAL, "june-differs", "4月と異なる6月の天引き", "仮徴収の途中で額が変わった。",
          one_row(**_plus("special_06"), **_plus("special_08", yen=-100)), "M14"),
    _rule(SPECIAL, "odd-start-month", "年金の支払月でない開始月", "特別徴収の開始月が5月。",
          one_row(special_starts_month=5), "M10"),
    _rule(SPECIAL, "start-too-early", "早すぎる特別徴収の開始", "10月に資格を得た者の天引きが、翌年4月に始まる。",
          one_row(lambda rows: pc.and_(above(acquired_on=date(2024, 10, 1))(rows),
                                       pc.not_equal(rows["special_starts_month"], 4)), special_starts_month=4), "M11"),
    _rule(SPECIAL, "joined-this-year", "当年度の取得者の特別徴収", "5月に転入した者から天引きしている。",
          one_row(acquired_on=date(2026, 5, 11)), "M12 S13"),
    _rule(SPECIAL, "pension-payer", "2桁の年金保険者", "年金保険者の番号の桁が足りない。", one_row(pension_payer="91"), "M08"),
    _rule(PROVISIONAL, "not-as-february", "前年度2月と異なる仮徴収", "平準化の対象でないのに、8月の額が変わった。",
          one_row(having(smoothed=False), **_plus("special_08", "provisional_total_yen", "pension_file_yen")), "M15"),
    _rule(PROVISIONAL, "nothing-in-february", "前年度2月が0円の仮徴収", "前年度に天引きのない者の仮徴収。",
          one_row(having(smoothed=False), last_february_yen=0), "M16"),
    _rule(CHANGE, "nothing-changed", "変わらない変更通知", "変更の前後で年額が同じ。",
          one_row(before_annual_yen=lambda row: row["annual_yen"]), "H03"),
    _rule(CHANGE, "unknown-reason", "登録にない変更理由", "変更理由が登録の5種でない。", one_row(change_reason="other"), "H01"),
    _rule(CHANGE, "changed-in-the-future", "基準日より後の変更", "まだ起きていない変更。",
          one_row(having(change_reason="income"), changed_on=date(2026, 12, 1)), "H02"),
    _rule(CHANGE, "lost-without-day", "喪失日のない喪失", "資格喪失による変更なのに、喪失日がない。",
          one_row(having(change_reason="lost"), lost_on=None), "H05"),
)  # fmt: skip

# ---- slips, reminders, certificates

_PAYMENTS = (
    _rule(ORDINARY, "slip-for-account", "口座振替の者の納付書", "口座から引き落とす者に納付書の額がある。",
          one_row(having(payment_means="account"), slip_07=lambda row: row["instalment_07"]), "B05"),
    _rule(CHANGE, "slip-of-before", "変更前の額の納付書", "変更通知に、変更前の額の納付書が付く。",
          one_row(having(payment_means="slip"), slip_09=lambda row: row["before_annual_yen"] // 900 * 100 + 100), "B04"),
    _rule(REMINDER, "reminder-barcode", "別人の納付番号の督促状", "督促状の納付番号が別人のもの。",
          taking_from_another("payment_no"), "B01"),
    _rule(ORDINARY, "payment-means", "知らない納付方法", "納付方法が納付書でも口座でもない。",
          one_row(having(payment_means="account"), payment_means="card"), "B03"),
    _rule(ORDINARY, "negative-slip", "負の額の納付書", "過納の者の納付書が負の額。",
          one_row(_FULL_YEAR, slip_03=-100), "B06"),
    _rule(REMINDER, "debit-pending", "口座振替の処理中の督促", "口座振替の結果がまだ届いていない者への督促。",
          one_row(account_pending=True), "E12"),
    _rule(REMINDER, "posted-too-early", "納期限より前の消込の締切", "納期限までの納付がまだ消し込まれていない。",
          one_row(paid_checked_at=datetime.fromisoformat("2026-07-30T18:00:00+09:00")), "E09"),
    _rule(REMINDER, "nothing-overdue", "未納のない督促", "未納額が0円。",
          one_row(overdue_yen=0, paid_yen=lambda row: row["payable_yen"]), "E02"),
    _rule(REMINDER, "other-instalment", "期と合わない納期限", "第2期の督促に第1期の納期限。", one_row(instalment=2), "E06"),
    _rule(REMINDER, "not-yet-due", "納期限の来ていない督促", "第2期の納期限はまだ来ていない。",
          one_row(instalment=2, due_on=date(2026, 8, 31)), "E07"),
    _rule(REMINDER, "tenth-instalment", "第10期の督促", "納期は9回なのに第10期。", one_row(instalment=10), "E04"),
    _rule(REMINDER, "levied-long-ago", "2年度より前の賦課", "時効にかかった年度の督促。",
          one_row(levied_year=2022, due_on=date(2022, 8, 1)), "E05"),
    _rule(REMINDER, "pay-by-sunday", "日曜の指定納期限", "指定納期限が日曜日。", one_row(pay_by_on=date(2026, 8, 30)), "E15"),
    _rule(REMINDER, "pay-by-past", "過ぎた指定納期限", "指定納期限が基準日より前。", one_row(pay_by_on=date(2026, 8, 14)), "E13"),
    _rule(DEMAND, "agreement-kept", "分納誓約中の催告", "分納の約束を守っている者への催告。",
          one_row(instalment_agreement=True), "E12"),
    _rule(DEMAND, "time-barred", "時効にかかった催告", "最も古い納期限が2年より前。",
          one_row(oldest_due_on=date(2024, 9, 30)), "E08"),
    _rule(DEMAND, "demand-before-reminder", "督促の前の催告", "督促状を発送していない期の催告。",
          one_row(oldest_due_on=date(2026, 11, 2)), "E16"),
    _rule(DEMAND, "no-instalment-overdue", "未納の期のない催告", "未納の期の数が0。", one_row(overdue_count=0), "E04"),
    _rule(BURDEN, "certificate-of-last-year", "前年度の負担割合証", "適用開始日が前年の8月1日のまま。",
          one_row(valid_from=date(2025, 8, 1)), "W02"),
    _rule(BURDEN, "certificate-ends-in-march", "年度末までの負担割合証", "適用終了日が翌年3月31日。",
          one_row(valid_until=date(2027, 3, 31)), "W03"),
    _rule(BURDEN, "four-tenths", "4割の負担割合", "負担割合が1・2・3割でない。", one_row(burden_ratio=4), "W01"),
    _rule(BURDEN, "certification-expired", "認定の切れた者", "要介護認定が適用開始日より前に切れている。",
          one_row(certified_until=date(2026, 6, 30)), "W05"),
    _rule(SUPPORT, "eligible-before-checklist", "実施日より前の開始日", "チェックリストの前から事業対象者になっている。",
          one_row(eligible_from=lambda row: row["checked_on"] - timedelta(days=10)), "W02"),
    _rule(SUPPORT, "checklist-in-the-future", "基準日より後の実施日", "まだ行っていないチェックリスト。",
          one_row(checked_on=date(2026, 8, 20), eligible_from=date(2026, 9, 1)), "W01"),
    _rule(SUPPORT, "no-center", "担当の支援センターがない", "担当の地域包括支援センターが空白。", one_row(center="　"), "W04"),
)  # fmt: skip

# ---- the whole: control totals, population, drift; what other stages stop

_WHOLE = (
    _rule(ORDINARY, "nobody-decided", "どの通知にもいない者",
          "徴収方法の切替えの途中で、どちらの通知からも漏れた。基幹系の統制票も漏れたまま一致する。", without_a_row, "K05"),
    _rule(SPECIAL, "population-short", "被保険者の総数の不足", "被保険者の総数が、決定と除外の合計より一人多い。",
          _other_population(insured=1), "K04"),
    _rule(ORDINARY, "drift-payment-means", "納付方法の偏り",
          "全体の1割で、納付書払いが口座振替に変わった。一件ずつ見れば正しい。",
          share_of_rows(10, having(payment_means="slip"), payment_means="account",
                        **dict.fromkeys(SLIP_COLUMNS, 0)), "T04"),
    _rule(SPECIAL, "drift-pension-payer", "年金保険者の偏り", "全体の1割で、年金保険者が変わった。一件ずつ見れば正しい。",
          share_of_rows(10, having(pension_payer="901"), pension_payer="911"), "T03"),
    _rule(BURDEN, "drift-burden-ratio", "負担割合の偏り",
          "全体の1割が、所得の判定の誤りで2割負担になった。一件ずつ見れば正しい。",
          share_of_rows(10, having(burden_ratio=1), burden_ratio=2), "T02"),
    _stage(ORDINARY, "row-missing", "抽出で欠けた一件", "一件が抽出から漏れ、統制票の件数と一致しない。",
           against_the_control(without_a_row)),
    _stage(SPECIAL, "row-twice", "二重に抽出された一件", "同じ一件が二度抽出された。",
           against_the_control(with_a_row_twice)),
    _stage(CHANGE, "amount-differs", "統制票と異なる合計額", "一件の年額が統制票の後で変わった。",
           against_the_control(one_row(**_plus("annual_yen")))),
    _stage(REMINDER, "control-of-another-run", "別の処理の統制票", "統制票の件数が一人多い。",
           saying(persons=lambda said: said.persons + 1)),
    _stage(ORDINARY, "item-missing", "足りない項目", "納付番号の列がない。", without_column("payment_no")),
    _stage(ORDINARY, "forbidden-item", "禁じられた項目", "個人番号の列が付いている。",
           with_column("individual_no", "999900000000")),
    _stage(ORDINARY, "consent-of-one-only", "一部だけの同封の承認",
           "同じ送付先の数件のうち一件だけ、担当課の同封の承認がない。組み合わせを人が見る。",
           _consent_of_one_only, "composition"),
)  # fmt: skip

# ---- dropped files


def _rewritten(change: Callable[[bytes], bytes]) -> Spoil:
    """The data file changed by the host itself: the control file promises the changed one."""

    def spoil(data: Path, control: Path) -> None:
        before = data.read_bytes()
        after = change(before)
        data.write_bytes(after)
        said = control.read_text(encoding="utf-8")
        control.write_text(said.replace(sha256(before), sha256(after)), encoding="utf-8")

    return spoil


def _promising(key: str, value: Callable[[str], str]) -> Spoil:
    """The control file says something else."""

    def spoil(data: Path, control: Path) -> None:
        lines = control.read_text(encoding="utf-8").splitlines()
        told = {
            line: f"{key}={value(line.partition('=')[2])}" for line in lines if line.startswith(f"{key}=")
        }
        control.write_text("".join(f"{told.get(line, line)}\n" for line in lines), encoding="utf-8")

    return spoil


def _cut_in_half(data: Path, control: Path) -> None:
    content = data.read_bytes()
    data.write_bytes(content[: len(content) // 2])


def _not_ended(data: Path, control: Path) -> None:
    control.unlink()


def _alone(data: Path, control: Path) -> None:
    data.unlink()


def _dropped_again(data: Path, control: Path) -> None:
    data.with_stem(f"{data.stem}_2").write_bytes(data.read_bytes())


def _as_utf8(content: bytes) -> bytes:
    return content.decode("cp932").encode()


def _one_byte_short(content: bytes) -> bytes:
    """The third record lacks the byte before its end."""
    *records, rest = content.split(b"\r\n")
    records[2] = records[2][:-1]
    return b"\r\n".join([*records, rest])


def _last_record_short(content: bytes) -> bytes:
    return content[:-20]


def _date_that_never_was(content: bytes) -> bytes:
    lines = content.split(b"\n")
    place = lines[0].split(b",").index(b"eligible_from")
    fields = lines[5].split(b",")
    fields[place] = b"20260231"
    lines[5] = b",".join(fields)
    return b"\n".join(lines)


def _one_field_more(content: bytes) -> bytes:
    lines = content.split(b"\r\n")
    lines[4] += b',""'
    return b"\r\n".join(lines)


def _other_header(content: bytes) -> bytes:
    return content.replace(b"postcode,address", b"address,postcode", 1)


def _half_in_utf8(content: bytes) -> bytes:
    """From some line on UTF-8, as when two files were joined."""
    lines = content.split(b"\r\n")
    return b"\r\n".join([*lines[:3], *(line.decode("cp932").encode() for line in lines[3:])])


def _as_cp932(content: bytes) -> bytes:
    return windows31j.encode(content.decode())


def _as_utf16(content: bytes) -> bytes:
    return codecs.BOM_UTF16_LE + content.decode().encode("utf-16-le")


def _twelve_days_earlier(as_of: str) -> str:
    return (datetime.fromisoformat(as_of) - timedelta(days=12)).isoformat()


_FILES = (
    _drop(BURDEN, "file-cut", "途中で切れたファイル", "転送が途中で切れ、統制票の SHA-256 と一致しない。", _cut_in_half),
    _drop(BURDEN, "file-half-written", "書き終わっていないファイル", "統制票がまだない。読まずに待つ。", _not_ended),
    _drop(BOOKLET, "file-missing", "統制票だけのファイル", "統制票があるのに、データがない。", _alone),
    _drop(BURDEN, "file-in-utf8", "UTF-8 の固定長", "CP932 と定めたファイルが UTF-8 で届いた。", _rewritten(_as_utf8)),
    _drop(SUPPORT, "file-in-cp932", "CP932 の UTF-8", "UTF-8 と定めたファイルが CP932 で届いた。", _rewritten(_as_cp932)),
    _drop(SUPPORT, "file-in-utf16", "UTF-16 のファイル", "表計算ソフトで保存し直された。", _rewritten(_as_utf16)),
    _drop(BOOKLET, "file-mixed-encodings", "文字コードの混じったファイル",
          "二つの処理の出力がつながれ、途中から UTF-8 になる。", _rewritten(_half_in_utf8)),
    _drop(BURDEN, "record-short", "1バイト足りないレコード", "固定長のレコードが1バイト短く、後の項目がずれる。",
          _rewritten(_one_byte_short)),
    _drop(BURDEN, "record-cut", "最後のレコードの欠け", "最後のレコードが途中で終わる。", _rewritten(_last_record_short)),
    _drop(BOOKLET, "field-surplus", "多い項目", "一行だけ項目が一つ多い。", _rewritten(_one_field_more)),
    _drop(BOOKLET, "header-differs", "並びの違う見出し", "住所と郵便番号の列が入れ替わった。", _rewritten(_other_header)),
    _drop(SUPPORT, "date-that-never-was", "暦にない日", "開始日が2月31日。", _rewritten(_date_that_never_was)),
    _drop(BURDEN, "file-count", "統制票と異なる件数", "統制票の件数が一件多い。",
          _promising("count", lambda count: str(int(count) + 1))),
    _drop(BOOKLET, "file-digest", "別のファイルの SHA-256", "統制票の SHA-256 が前回のもの。",
          _promising("sha256", lambda digest: digest[::-1])),
    _drop(BURDEN, "file-stale", "古い基準日時", "前回の処理のファイルが残っていた。", _promising("as_of", _twelve_days_earlier)),
    _drop(SUPPORT, "file-of-another-notice", "別の通知書の統制票", "統制票が別の通知書のもの。",
          _promising("notice", lambda _: BURDEN)),
    _drop(BOOKLET, "file-twice", "二重に置かれたファイル", "同じ異動バッチのファイルが二つある。", _dropped_again),
)  # fmt: skip

DEFECTS: tuple[RowDefect | DropDefect, ...] = (
    *_INCIDENTS,
    *_FORMATS,
    *_AMOUNTS,
    *_PAYMENTS,
    *_WHOLE,
    *_FILES,
)
"""All of them, the incidents first."""
