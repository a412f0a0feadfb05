"""`python -m pixelwise.cli`, for where the console script is not on the path."""

import sys

from pixelwise.cli import main

sys.exit(main())
