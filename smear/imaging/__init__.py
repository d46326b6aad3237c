"""From a picture to cells: resampling, tiling, stain normalisation, watershed, contours."""
