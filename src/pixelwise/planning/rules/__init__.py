"""Rules: what follows from the facts, setting by setting; each with its reason."""
