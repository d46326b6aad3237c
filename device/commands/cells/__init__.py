"""`smearscope cells`: the cells of recorded slides, and what a person calls them."""

from device.commands.cells import classify, listing
from device.commands.cells.group import command

__all__ = ["classify", "command", "listing"]
