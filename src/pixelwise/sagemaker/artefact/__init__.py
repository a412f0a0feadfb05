"""Models that the retired MXNet image trained, read without MXNet."""
