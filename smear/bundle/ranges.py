"""What numbers and names in a manifest or a training run may be: finite, and what they can mean."""

from typing import Annotated

from pydantic import Field

Density = Annotated[float, Field(gt=0, le=10)]
"""Optical density, natural logarithm; 10 lets through one photon of 22,000."""
Probability = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[float, Field(ge=0.01, le=100)]
"""What logits are divided by: outside of this range every field would be certain, or none."""
PixelSize = Annotated[float, Field(ge=0.01, le=10)]
"""Edge of one pixel on the slide in µm, as microscopes have it."""
Edge = Annotated[int, Field(ge=16, le=4096)]
"""Of a model's input, in pixels."""
Count = Annotated[int, Field(ge=0, le=10**12)]
Score = Annotated[float, Field(ge=-1000, le=1000)]
"""An out-of-distribution score, whose spread over training fields is 1."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
