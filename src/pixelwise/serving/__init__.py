"""The endpoint and its page: an image in over HTTP, a class map out."""
