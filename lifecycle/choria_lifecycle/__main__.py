"""`python -m choria_lifecycle` is the command `lifecycle`."""

from choria_lifecycle.cli import main

if __name__ == "__main__":
    main()
