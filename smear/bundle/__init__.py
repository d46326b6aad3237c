"""The model bundle, its signature, and the training run it is made from."""
