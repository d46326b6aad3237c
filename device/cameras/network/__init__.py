"""Cameras in the network: pictures and Motion JPEG over HTTP, and RTSP."""
