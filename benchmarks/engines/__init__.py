"""What is measured in interpreters that may lack Smearscope: each module needs nothing else of it."""
