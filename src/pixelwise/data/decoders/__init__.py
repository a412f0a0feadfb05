"""Decoders: what Pillow gives of a file as it is, and what it would lose of depth or bands, by other libraries."""
