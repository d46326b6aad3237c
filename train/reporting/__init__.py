"""Figures, tables and pages about a bundle and its data; `templates` holds the HTML."""
