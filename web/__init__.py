"""The viewer and the API in a browser: a process of its own, which reads the store and asks the running device."""
