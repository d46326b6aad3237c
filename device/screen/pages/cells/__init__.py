"""What a person does with the cells of a slide: classify, look closely, review fields, count and sign."""
