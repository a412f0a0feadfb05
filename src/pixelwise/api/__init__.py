"""The verbs, as `pixelwise.check`, `pixelwise.train` and so on; the command line and Python share them."""
