"""The names of a cycle's files in the vault, in the order in which they come to be."""

CYCLE_KEY = "cycle.key"
STAGED = "extracted.arrow"
CIRCUMSTANCES = "circumstances.json"
DIFFERENCES = "differences.arrow"
FINDINGS = "findings.json"
AMBIGUOUS = "ambiguous.json"
PRINT_FILE = "print.csv"
PRINT_FILES = {"csv": PRINT_FILE, "fixed": "print.txt"}
"""By the layout's format, so that no spreadsheet opens fixed columns as CSV."""
TOTALS = "totals.json"
DISPATCH_INDEX = "dispatch_index.arrow"
DIFFERENCE_LIST = "difference_list.json"
PASSPHRASE = "passphrase.key"  # noqa: S105 - a file name


def pullout_list(pullout: int) -> str:
    """The notices that a pull-out names, in the form in which the contractor gets them."""
    return f"pullout-{pullout}.csv"


def delivered_pullout_list(pullout: int) -> str:
    """The notices that were taken out after the delivery."""
    return f"delivered-pullout-{pullout}.csv"


def pullout_passphrase(pullout: int) -> str:
    """The passphrase of a pull-out's package."""
    return f"pullout-{pullout}-passphrase.key"
