"""`python -m cinque.cli`: the same as `cinque`, for the very interpreter that is running."""

from cinque.cli.main import main

main()
