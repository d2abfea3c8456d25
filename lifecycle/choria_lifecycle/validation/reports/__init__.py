"""Reports of findings: a writer for each format, behind one protocol."""
