"""`python -m pixelwise.sagemaker`: the container's entry point."""

import sys

from pixelwise.sagemaker.container.commands import main

sys.exit(main(sys.argv[1:]))
