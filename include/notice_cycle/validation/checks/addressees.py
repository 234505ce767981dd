"""Addressees: for whom a letter is, and to whom it may go instead (送付先・成年後見人・施設)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from notice_cycle.validation.facts import Facts
from notice_cycle.validation.rows import Kept, Rows

_SELF = "self"
_RECIPIENT_DIGITS = 10


def self_is_insured(rows: Rows, facts: Facts, *, kind: str, recipient: str, insured: str) -> Kept:
    """Addressed to oneself means the insured person's own name."""
    same = pc.equal(rows.text(recipient), rows.text(insured))
    return pc.or_(pc.not_equal(rows.text(kind), _SELF), same)


def other_is_registered(rows: Rows, facts: Facts, *, kind: str, recipient_id: str) -> Kept:
    """Whoever receives for somebody else is registered under a number that is not nought."""
    registered = rows.digits(recipient_id, _RECIPIENT_DIGITS)
    return _flags(pc.equal(rows.text(kind), _SELF)) | (registered.well_formed & (registered.number > 0))


def suffix_fits(
    rows: Rows, facts: Facts, *, kind: str, suffix: str, allowed: Mapping[str, Sequence[str]]
) -> Kept:
    """The honorific is one that this kind of recipient is given."""
    kinds, suffixes = rows.text(kind), rows.text(suffix)
    kept = np.zeros(len(rows), dtype=np.bool_)
    for value, fitting in allowed.items():
        is_in = pc.is_in(suffixes, pa.array(fitting, pa.string()))
        kept |= _flags(pc.and_(pc.equal(kinds, value), is_in))
    return kept


def care_of_another(
    rows: Rows, facts: Facts, *, suffix: str, care_of: str, recipient: str, insured: str
) -> Kept:
    """In care of (様方) is in care of somebody else."""
    other = pc.not_equal(rows.text(recipient), rows.text(insured))
    return pc.or_(pc.not_equal(rows.text(suffix), care_of), other)


def no_sharing_by(rows: Rows, facts: Facts, *, kind: str, values: Sequence[str], share: str) -> Kept:
    """These kinds of recipients have no envelope in common with others."""
    return ~(rows.flag(share) & _flags(pc.is_in(rows.text(kind), pa.array(values, pa.string()))))


def _flags(found: pa.BooleanArray) -> Kept:
    return found.to_numpy(zero_copy_only=False)


CHECKS = (self_is_insured, other_is_registered, suffix_fits, care_of_another, no_sharing_by)
