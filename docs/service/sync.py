"""A synchronous service, announced while its block runs."""

import threading

from choria_lifecycle import Service


def main() -> None:
    threading.Event().wait()  # the work of the service


if __name__ == "__main__":
    with Service("billing", "1.4.2"):
        main()
