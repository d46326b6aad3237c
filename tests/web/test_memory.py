"""What the web keeps out of memory while it is looked at without a gallery or a report."""

import subprocess
import sys


def test_serving_pages_and_the_live_picture_loads_no_opencv_and_what_draws_does():
    script = (
        "import sys, web.cli, web.app, web.server, web.integrations.metrics, device.settings_sections as names;"
        "names.camera_usages(), names.display_usages(); loaded = {each.split('.')[0] for each in sys.modules};"
        "import cv2; print(sorted(loaded & {'scipy', 'pygame', 'paho', 'tensorflow'}),"
        " 'cv2.dnn' in sys.modules, cv2.COLOR_BGR2RGB, 'cv2.dnn' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "[] False 4 True\n"
