"""The site check: labelled fields of a laboratory, how far the bundle agrees with them, and the certificate of it."""
