"""`python -m groundcheck` is the command `groundcheck`."""

from .grounding.cli import main

if __name__ == "__main__":
    main()
