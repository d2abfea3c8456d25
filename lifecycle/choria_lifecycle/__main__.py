"""Run the `lifecycle` command with `python -m choria_lifecycle`."""

from choria_lifecycle.cli import main

if __name__ == "__main__":
    main()
