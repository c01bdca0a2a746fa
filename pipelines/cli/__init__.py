"""The command line: one module per group of commands, assembled in `app`."""

from pipelines.cli.app import main

__all__ = ["main"]
