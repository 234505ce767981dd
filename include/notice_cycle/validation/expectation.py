"""The one expectation of ours: a rule is kept when no more rows broke it than its tolerance allows.

Importing this imports Great Expectations, which takes seconds: only the judging does. It reports nothing home.
"""

import os

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read when the library is imported

from great_expectations.expectations.core.expect_column_sum_to_be_between import ExpectColumnSumToBeBetween


class ExpectRuleToBeKept(ExpectColumnSumToBeBetween):
    """`column`: a rule's column in the table of verdicts, one number of broken rows a batch. `max_value`: the tolerance."""

    min_value: int = 0
    description: str = "規則に反する行が許容件数以内である"
