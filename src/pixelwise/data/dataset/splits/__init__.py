"""Which pairs are validation where nobody said it: a pure function of names, likeness and classes."""
