"""The vocabulary every stage shares, from the desktop to the device."""

__version__ = "0.1.0"

RESEARCH_USE_ONLY = "Research use only: not a medical device, not for diagnosis."
