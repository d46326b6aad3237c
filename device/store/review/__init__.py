"""What people do with the records of a slide: classify cells, review fields, sign; and the trail of all that."""
