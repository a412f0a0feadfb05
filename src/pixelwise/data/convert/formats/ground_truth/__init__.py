"""SageMaker Ground Truth."""
