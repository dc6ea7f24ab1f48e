"""Where the `zonesim` command begins. Imports nothing: every child process imports this too."""


def main() -> int:
    """Run the command line; the exit code."""
    from zonesim.interrupts import end_at_once, end_undisturbed

    end_at_once()
    from zonesim.cli import main as run_command_line

    code = run_command_line()
    end_undisturbed()
    return code


if __name__ == "__main__":
    raise SystemExit(main())
