"""`python -m tradewind.cli`."""

import sys

from . import main

sys.exit(main())
