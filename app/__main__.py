"""``python -m ssbayes.app``: the same as the command ``ssbayes``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
