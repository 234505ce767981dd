"""An invented ward: residents, addressees and assessments of 架空区, repeatable by seed.

It stands in for the core system wherever the real one must not be touched: tests, rehearsals, training.
Nobody and no place in it exists. It refuses to load over a schema it did not create itself.
"""

from synthetic_ward.canary import CANARY, Canary
from synthetic_ward.core_system import NotTheSyntheticWard, load_ward
from synthetic_ward.drops import write_drops
from synthetic_ward.generate import build_ward
from synthetic_ward.ward import (
    DROPPED,
    NOTICE_ITEMS,
    Ward,
    annual_batch,
    as_table,
    batch_of,
    supplementary_batch,
)

__all__ = [
    "CANARY",
    "DROPPED",
    "NOTICE_ITEMS",
    "Canary",
    "NotTheSyntheticWard",
    "Ward",
    "annual_batch",
    "as_table",
    "batch_of",
    "build_ward",
    "load_ward",
    "supplementary_batch",
    "write_drops",
]
