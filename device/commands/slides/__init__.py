"""`smearscope slides`: look at, take out and mark what was recorded. Each module adds its commands to one group."""

from device.commands.slides import counting, editing, export, listing, report, review, signing
from device.commands.slides.group import command

__all__ = ["command", "counting", "editing", "export", "listing", "report", "review", "signing"]
