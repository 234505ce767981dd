"""An invented ward: residents, addressees and assessments of 架空区, repeatable by seed.

It stands in for the core system wherever the real one must not be touched: tests, rehearsals, training.
Nobody and no place in it exists. It refuses to load over a schema it did not create itself.
"""

from synthetic_ward.canary import CANARY, Canary
from synthetic_ward.generate import NotTheSyntheticWard, build_ward, load_ward
from synthetic_ward.ward import VIEW_COLUMNS, Ward, annual_batch, supplementary_batch

__all__ = [
    "CANARY",
    "VIEW_COLUMNS",
    "Canary",
    "NotTheSyntheticWard",
    "Ward",
    "annual_batch",
    "build_ward",
    "load_ward",
    "supplementary_batch",
]
