"""A live session: supervised workers, and the socket that other processes ask."""
