"""The out-of-distribution detector: fitted, compared, and measured with each laboratory held out."""
