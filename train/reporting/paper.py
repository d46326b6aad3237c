"""The figures that the paper states, for comparison with ours: Reza et al., IJEECS 38(2), 2025."""

CITATION = "Reza et al., Indonesian Journal of Electrical Engineering and Computer Science 38(2), 2025"
DATA = "Aria et al. 2021, DOI 10.34740/KAGGLE/DSV/2175623"
UNET_DICE, UNET_PIXEL_ACCURACY = 0.52, 0.84  # its table 3, on test, against masks made by an HSV threshold
TEST_ACCURACY = {  # its table 4, random split, test
    "custom CNN": 0.98,
    "MobileNetV2": 0.97,
    "ResNet50": 0.97,
    "NASNet": 0.81,
    "InceptionV3": 0.77,
}


def network(name: str) -> str | None:
    """Return the paper's name of the network called `name` here, or None where its table has no figure for it."""
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    if "papercnn" in plain:
        return "custom CNN"
    return next((theirs for theirs in TEST_ACCURACY if theirs != "custom CNN" and theirs.lower() in plain), None)
