"""Amazon SageMaker's Semantic Segmentation interface, spoken by our engine; AWS spelling lives only here."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
