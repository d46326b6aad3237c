"""Image processing from a picture to its cells: resampling, tiling, stain normalisation, watershed, contours."""
