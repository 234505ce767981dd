"""The acceptance pack (受入試験): invented packages and scenarios that a contractor answers before his first real one.

The ward makes it (`make`), the contractor answers each scenario as docs/exchange-format.md says, with whatever tools
he will use for real, and the ward judges the answers (`check`) with the door and the judges of its own stages.
"""

PACK_VERSION = "受入試験 第3版"
