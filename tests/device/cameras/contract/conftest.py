from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.cameras.contract import benches, virtual_benches
from tests.device.cameras.contract.benches import Bench


@pytest.fixture(params=benches.BENCHES + virtual_benches.BENCHES, ids=lambda kind: kind.__name__.removesuffix("Bench"))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = request.param(tmp_path)
    if made.missing:
        pytest.skip(made.missing)
    made.start(made.size)
    yield made
    made.go_on()
    made.lose()
    made.close()
