"""Ask the running device for its status, without the half minute that importing the command takes here; print JSON."""

import socket

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect("/run/smearscope/smearscope.sock")
    connection.sendall(b'{"command": "status"}\n')
    print(connection.makefile().readline())  # noqa: T201
