"""Amazon SageMaker's Semantic Segmentation interface, spoken by our engine; AWS spelling lives only here."""
