"""Changes that a slide, a stain or a camera makes to a picture."""
