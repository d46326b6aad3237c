"""`smearscope slides`: look at, take out and mark what was recorded. Each module adds its commands to one group."""

from device.commands.slides import editing, export, listing, review
from device.commands.slides.group import command

__all__ = ["command", "editing", "export", "listing", "review"]
