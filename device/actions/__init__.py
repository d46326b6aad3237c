"""What people do with records: one set of actions for the command line, the screen, the control socket and the web."""
