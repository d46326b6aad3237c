from pathlib import Path

from benchmarks.store_fixture import fill
from device.store import Store
from smear.bundle.folder import load_bundle
from smear.findings import Frame
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.synthetic import render


def test_a_store_is_filled_with_fields_that_the_store_itself_can_read(tiny_bundle: Path, tmp_path: Path) -> None:
    frame = Frame(render("Pre", 1).image, "drawn")
    processor = FrameProcessor(Pipeline(load_bundle(tiny_bundle), "float32"))
    finding = processor.process(frame).finding
    processor.close()
    with Store.record(tmp_path) as store:
        slide = store.start_slide("bench")
        store.add_field(slide, frame, finding)
        fill(tmp_path, 50)
        assert len(list(store.all_fields(slide))) == 50
        assert len(store.cells(50)) == len(finding.cells)
        fill(tmp_path, 50)
        store.add_field(slide, frame, finding)
        assert len(list(store.all_fields(slide))) == 51
