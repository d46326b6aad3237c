"""GStreamer's RTSP server with an H.264 camera: FRAMES PORT WIDTH HEIGHT FPS MATRIX [USER:PASSWORD].

For the system's own Python, which has PyGObject and no NumPy: FRAMES is a file of RGB frames, shown in turn.
"""

import sys
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

frames, port, width, height, fps, matrix, *credentials = sys.argv[1:]
data = Path(frames).read_bytes()
length = int(width) * int(height) * 3
SOURCE = (
    f"( appsrc name=eye is-live=true do-timestamp=true format=time "
    f"caps=video/x-raw,format=RGB,width={width},height={height},framerate={fps}/1 "
    f"! videoconvert ! video/x-raw,format=I420,colorimetry={matrix} "
    f"! x264enc tune=zerolatency bitrate=4000 key-int-max=5 ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def opened(factory, media):
    eye = media.get_element().get_by_name_recurse_up("eye")
    count = 0

    def push():
        nonlocal count
        start = count * length % len(data)
        count += 1
        return eye.emit("push-buffer", Gst.Buffer.new_wrapped(data[start : start + length])) == Gst.FlowReturn.OK

    GLib.timeout_add(1000 // int(fps), push)


Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory()
if credentials:
    user, password = credentials[0].split(":")
    role = GstRtspServer.RTSPToken()
    role.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), role)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)
factory.set_launch(SOURCE)
factory.set_shared(True)
factory.connect("media-configure", opened)
server.get_mount_points().add_factory("/video", factory)
server.attach(None)
sys.stdout.write("ready\n")
sys.stdout.flush()
GLib.MainLoop().run()
