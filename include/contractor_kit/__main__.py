"""`python -m contractor_kit <command>`."""

import sys

from contractor_kit.command_line import main

if __name__ == "__main__":
    sys.exit(main())
