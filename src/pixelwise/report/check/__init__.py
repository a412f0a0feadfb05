"""The page of `pixelwise check`."""
