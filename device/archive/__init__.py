"""Archives: pictures by the million, examined by several processes or machines, with a manifest to go on by."""
