"""From trained Keras models to the bundle that devices trust: every level converted, compared and proven."""
