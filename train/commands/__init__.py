"""The sub-commands of `smearscope train`: options in, one call, results printed."""
