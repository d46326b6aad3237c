"""The control socket: its protocol, its server, the client that commands use, and what may be asked."""
