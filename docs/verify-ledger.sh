#!/usr/bin/env bash
# 証跡台帳の検証: verifies the evidence ledger with standard tools and without the product's code.
#
#   docs/verify-ledger.sh DSN                 checks every entry, prints the head (write it down)
#   docs/verify-ledger.sh DSN SEQ DIGEST      also checks that an entry written down earlier still stands
#   docs/verify-ledger.sh DSN FILE SIGNERS    the same with a checkpoint-….json, whose signature (FILE.sig) is checked
#                                             with the ward's key in SIGNERS (OpenSSH allowed_signers)
#
# DSN is any libpq connection string (postgresql://… or host=… dbname=…). Reading is enough: a login that is a
# member of ledger_reader. Needs bash, psql and python3 (its standard library only).
#
# Each entry is checked in order of seq:
#   1. seq counts 1, 2, 3 … without a gap
#   2. the SHA-256 of the body's bytes is the digest beside it
#   3. the body names the digest of the entry before it (`previous`)
#   4. the columns cycle, kind and follows say what the body says
# Exit status: 0 all entries hold; 1 the first bad entry was named; 2 could not look.
#
# What a chain cannot show: entries cut off at its end. Compare with a head written down earlier (second form) or
# signed earlier (third form, needs ssh-keygen).
set -euo pipefail

if (($# != 1 && $# != 3)); then
    sed -n '2,/^set -euo/{s/^# \{0,1\}//;/^set/d;p;}' "$0" >&2
    exit 2
fi
for tool in psql python3; do
    command -v "$tool" >/dev/null || { echo "$tool がありません / $tool is not installed" >&2; exit 2; }
done

noted=("${2:-}" "${3:-}") ward=""
if (($# == 3)) && [[ ! $2 =~ ^[0-9]+$ ]]; then
    command -v ssh-keygen >/dev/null || { echo "ssh-keygen がありません / ssh-keygen is not installed" >&2; exit 2; }
    [[ -r $2 && -r $2.sig && -r $3 ]] || { echo "$2、$2.sig、$3 を読めません / cannot read them" >&2; exit 2; }
    said=$(python3 -c 'import json, sys
said = json.loads(open(sys.argv[1], "rb").read())
print(said["seq"], said["digest"], said["ward"])' "$2" 2>/dev/null) || said=""
    read -r noted[0] noted[1] ward <<<"$said"
    if ! ssh-keygen -Y verify -f "$3" -I "$ward" -n notice-cycle-checkpoint -s "$2.sig" <"$2" >&2; then
        echo "NG $2: 区の鍵による署名と一致しません / not signed by the ward"
        exit 1
    fi
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Bodies and columns travel as base64, so that no terminal, locale or COPY escape can change a byte.
if ! psql -X -q -v ON_ERROR_STOP=1 -d "$1" >"$work/entries" -c "
    COPY (SELECT seq,
                 digest,
                 translate(encode(convert_to(body, 'UTF8'), 'base64'), E'\n', ''),
                 translate(encode(convert_to(json_build_array(cycle, kind, follows)::text, 'UTF8'), 'base64'), E'\n', '')
          FROM ledger.entry ORDER BY seq) TO STDOUT"; then
    echo "証跡台帳を読めません / cannot read the ledger" >&2
    exit 2
fi

python3 - "$work/entries" "${noted[@]}" "$ward" <<'PYTHON'
import base64
import hashlib
import json
import sys

entries, noted_seq, noted_digest, ward = sys.argv[1:]


def fault(seq, digest, body, columns, expected_seq, previous):
    if seq != expected_seq:
        return f"第{expected_seq}号がありません / entry {expected_seq} is missing"
    if hashlib.sha256(body).hexdigest() != digest:
        return "本文とダイジェストが合いません / body and digest differ"
    try:
        said = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return "本文が記録の形式ではありません / the body is no entry"
    if said.get("previous") != previous:
        return "前の記録とのつながりが合いません / the link to the entry before is wrong"
    if [said.get("seq"), said.get("cycle"), said.get("kind"), said.get("follows")] != [seq, *columns]:
        return "見出しと本文が合いません / columns and body differ"
    return None


count, head, found_noted = 0, None, False
with open(entries, encoding="ascii") as lines:
    for line in lines:
        seq_text, digest, body, columns = line.rstrip("\n").split("\t")
        seq = int(seq_text)
        reason = fault(
            seq, digest, base64.b64decode(body), json.loads(base64.b64decode(columns)), count + 1, head
        )
        if reason:
            print(f"NG 第{seq}号: {reason}")
            sys.exit(1)
        if seq == 1 and ward and json.loads(base64.b64decode(body))["data"].get("ward") != ward:
            print(f"NG 第1号: {ward} の台帳ではありません / the ledger of another ward")
            sys.exit(1)
        count, head = seq, digest
        found_noted = found_noted or (seq_text, digest) == (noted_seq, noted_digest)

if not count:
    print("NG 第1号: 第1号がありません / the ledger is empty")
    sys.exit(1)
if noted_seq and not found_noted:
    print(f"NG 第{noted_seq}号: 控えておいた記録と異なるか、ありません / not the entry that was written down")
    sys.exit(1)
print(f"OK {count}件すべて一致しました / {count} entries hold")
print(f"末尾（控えてください）/ head: {count} {head}")
PYTHON
