"""A diagnosis as text, plot, SVG and HTML, and the sentences of its evidence."""
