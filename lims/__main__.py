"""`python -m lims` is the `lims` command."""

from lims.cli import main

if __name__ == "__main__":
    main()
