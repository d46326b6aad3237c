"""How good a bundle is: scores, shortcut controls, corruptions and out-of-distribution pictures."""
