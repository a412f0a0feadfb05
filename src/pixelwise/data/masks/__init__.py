"""What is in a mask file: one decoder for check, repair and convert."""
