"""What int8 answers, computed in Keras, and what is done so that it answers well."""
