"""Desktop side: what is known about the data, the models by name, fitting, evaluation and the report."""
