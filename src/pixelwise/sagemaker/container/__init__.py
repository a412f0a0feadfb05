"""Inside the container: train a job, serve a model."""
