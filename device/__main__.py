"""`python -m device`: the same as the `smearscope` script."""

from device.cli import main

main()
