"""Lets the unmodified picamera2 work on libcamera 0.4's "virtual" cameras.

The build of the virtual device appends `import virtual_libcamera` to picamera2. Each change below has its reason in
what that pipeline leaves out; a camera whose id does not begin with "Virtual" is left alone.
"""

import math
import mmap
import os
import time
from typing import Any

import libcamera
from picamera2.allocators import LibcameraAllocator, allocator
from picamera2.picamera2 import Picamera2

PERIOD_S = 1 / float(os.environ.get("VIRTUAL_FPS", "30"))  # a test may change it; infinite: no more frames

_init = Picamera2.__init__
_raw_modes = Picamera2._get_raw_modes
_queue_request = libcamera.Camera.queue_request
_next_frame_s: dict[str, float] = {}


def _is_virtual(camera: Any) -> bool:
    return str(camera.id).startswith("Virtual")


def _get_raw_modes(self: Any) -> Any:
    """There is no Raw role, which picamera2 takes for granted."""
    if not _is_virtual(self.camera):
        return _raw_modes(self)
    return [{"format": "NV12", "size": tuple(self.camera_properties.get("PixelArraySize", (640, 480)))}]


def _init_with_allocator(self: Any, *args: Any, **kwargs: Any) -> None:
    """Only buffers that libcamera allocated itself are accepted: they have one file descriptor a plane."""
    _init(self, *args, **kwargs)
    if _is_virtual(self.camera):
        self.allocator = LibcameraAllocator(self.camera)


def _enter(self: Any) -> mmap.mmap:
    """`bytes_used` stays 0, so the planes' own lengths must do."""
    buffer = self._Sync__fb
    length = sum(m.bytes_used for m in buffer.metadata.planes) or sum(p.length for p in buffer.planes)
    self._Sync__mm = mmap.mmap(buffer.planes[0].fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    return self._Sync__mm


def _paced_queue_request(self: Any, request: Any) -> Any:
    """Nothing paces the frames: without this they come as fast as the CPU goes and starve the application."""
    period_s = PERIOD_S
    if _is_virtual(self):
        if math.isinf(period_s):
            return None
        now_s = time.monotonic()
        due_s = max(_next_frame_s.get(self.id, 0.0), now_s)
        time.sleep(due_s - now_s)
        _next_frame_s[self.id] = due_s + period_s
    return _queue_request(self, request)


Picamera2._get_raw_modes = _get_raw_modes
Picamera2.__init__ = _init_with_allocator
allocator.Sync.__enter__ = _enter
libcamera.Camera.queue_request = _paced_queue_request
# Nor is the status of a frame set: uninitialised memory, by which picamera2 would drop frames at random.
libcamera.FrameMetadata.status = property(lambda self: libcamera.FrameMetadata.Status.Success)
