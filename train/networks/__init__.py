"""Networks by name: what each is for, what it is built from, and how it answers."""
