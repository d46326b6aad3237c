"""Sub-commands of `smearscope train` that need Keras."""
