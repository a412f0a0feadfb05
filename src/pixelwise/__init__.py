"""Pixelwise: from a folder of images and masks to a semantic segmentation model a team can trust."""

import lazy_loader

# What is public stands in __init__.pyi, once. Each name loads on first use: the command line must not wait for torch
# only because it lives in this package.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
