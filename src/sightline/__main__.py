"""`python -m sightline` is `sightline`."""

from sightline.cli.app import main

if __name__ == "__main__":
    main()
