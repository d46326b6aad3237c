"""The names of training strategies, and what TF_CONFIG says of the workers; needs no TensorFlow."""

import json
import os

from smear.errors import TrainingError

STRATEGIES = ("auto", "none", "mirrored", "multiworker")


def workers() -> int:
    """Return the number of workers that TF_CONFIG names; 0 if it is not set.

    Raises:
        TrainingError: it cannot be read.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return 0
    try:
        cluster = json.loads(text)["cluster"]
        return sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(
            f"TF_CONFIG cannot be read ({error}); give "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}, or unset it'
        ) from error
