"""The hyperparameters of the AWS algorithm and what each becomes."""
