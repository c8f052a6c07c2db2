"""`python -m groundcheck.grounding` is the command `groundcheck`."""

from .cli import main

if __name__ == "__main__":
    main()
