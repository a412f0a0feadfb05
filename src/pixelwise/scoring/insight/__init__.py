"""What takes a model or its probabilities to measure, beside the confusion matrix."""
