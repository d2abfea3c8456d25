# Generated from the files in schemas/ (codegen/package.py).
# Do not edit: change the source and run `python -m codegen generate`.
