"""Print as JSON how many MB of the service are in memory, and how many of them are Mesa's libraries alone."""

import json
import re
import subprocess
from pathlib import Path

SOFTWARE_RENDERING = ("libLLVM", "libgallium", "libz3")  # a Pi's GPU draws; here the processor does

pid = subprocess.run(["systemctl", "show", "-P", "MainPID", "smearscope"], capture_output=True, text=True, check=True)
resident, mesa, name = 0, 0, ""
for line in Path(f"/proc/{pid.stdout.strip()}/smaps").read_text().splitlines():
    if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
        name = line.rsplit("/", 1)[-1]
    elif line.startswith("Rss:"):
        kilobytes = int(line.split()[1])
        resident += kilobytes
        mesa += kilobytes if name.startswith(SOFTWARE_RENDERING) else 0
print(json.dumps({"resident": resident / 1000, "mesa": mesa / 1000}))  # noqa: T201
