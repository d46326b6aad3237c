"""What every page is drawn with: boxes, text, themes and widgets; each a pure function of what it is given."""
