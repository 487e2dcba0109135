"""`python -m bitface.cli` is `bitface`."""

from bitface.cli import main

main()
