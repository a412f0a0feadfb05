"""The data path: a folder -> pairs -> samples -> batches; what is in the files, and other layouts brought in."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
