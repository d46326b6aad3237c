"""Cameras through a library of their makers: GenICam, cameras with a lens mount, and microscopes of Micro-Manager."""
