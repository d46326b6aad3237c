"""The pages, a module each; `registry` lists them."""
