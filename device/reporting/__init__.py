"""Slides, fields and analysed pictures as people see them: terminal tables, masks and overlays."""
