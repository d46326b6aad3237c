"""One slide as a page to hand on: what was counted, what was seen, what was refused and why, and who did what."""
