"""One result as Markdown, HTML and JSON, and two results compared."""
