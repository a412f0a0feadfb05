"""Requests that start training, tuning, transform and endpoints on AWS."""
