"""What a bundle's accuracy is worth: scores, controls, corruptions, out-of-distribution pictures."""
