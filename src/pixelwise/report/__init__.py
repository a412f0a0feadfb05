"""Numbers and pictures -> one self-contained HTML file."""
