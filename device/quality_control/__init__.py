"""Quality control of the day: whether this microscope, with this stain and this bundle, is cleared for use today."""
