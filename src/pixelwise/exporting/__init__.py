"""Models for other runtimes, each file with a certificate of what it was proved to give."""
