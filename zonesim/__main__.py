"""Where the `zonesim` command begins. Imports nothing: every child process imports this too."""


def main() -> int:
    """Run the command line; the exit code."""
    from zonesim.cli import main as run_command_line

    return run_command_line()


if __name__ == "__main__":
    raise SystemExit(main())
