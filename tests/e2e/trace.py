"""Looking for a person's values everywhere they must not be: files, mails, PDFs, database tables.

A value is looked for in every form it could take: UTF-8, UTF-16, CP932, EUC-JP, JSON escapes, base64.
"""

import base64
import email
import json
from collections.abc import Iterable, Iterator
from email import policy
from pathlib import Path

import psycopg
from psycopg import sql


def forms_of(term: str) -> set[bytes]:
    """Every byte form of a term that is looked for."""
    forms = {term.encode()}
    for encoding in ("utf-16-le", "utf-16-be", "cp932", "euc_jp"):
        try:
            forms.add(term.encode(encoding))
        except UnicodeEncodeError:
            continue
    forms.add(json.dumps(term)[1:-1].encode())
    for shift in range(3):  # base64 of a text that contains the term, whatever stands before it
        coded = base64.b64encode(b"\0" * shift + term.encode())
        forms.add(coded[4 if shift else 0 : -4].rstrip(b"="))
    return {form for form in forms if len(form) >= 6}


def traces(terms: Iterable[str], contents: Iterable[tuple[str, bytes]]) -> list[str]:
    """`where: term` for every term found."""
    wanted = [(term, forms_of(term)) for term in terms]
    return [
        f"{where}: {term}"
        for where, content in contents
        for term, forms in wanted
        if any(f in content for f in forms)
    ]


def files_below(*roots: Path, without: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Every file below the roots, mails and PDFs also as the text a reader sees."""
    excluded = tuple(without)
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.is_symlink() or not path.is_file() or any(path.is_relative_to(each) for each in excluded):
                continue
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            yield str(path), content
            if path.suffix == ".eml":
                yield f"{path} (as read)", _as_read(content).encode()
            if content.startswith(b"%PDF"):
                yield f"{path} (as read)", _pdf_text(path).encode()


def tables_of(dsn: str) -> Iterator[tuple[str, bytes]]:
    """Every row of every table of a database, as text (so that nothing hides in compressed pages)."""
    with psycopg.connect(dsn) as connection:
        names = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in names:
            statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(schema, table))
            with connection.cursor().copy(statement) as rows:
                yield f"{schema}.{table}", b"".join(bytes(row) for row in rows)


def _as_read(content: bytes) -> str:
    message = email.message_from_bytes(content, policy=policy.default)
    parts = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return "\n".join([str(message["subject"]), *parts])


def _pdf_text(path: Path) -> str:
    from pypdf import PdfReader

    return "\n".join(page.extract_text() for page in PdfReader(path).pages)
