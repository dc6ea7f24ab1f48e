"""Entry point of the `zonesim` command. Imports are local: every child process loads this too."""

NEEDED = ("click", "rich", "scipy", "matplotlib")  # of the extra; setproctitle is optional


def main() -> int:
    """Run the command line; the exit code."""
    import os
    import sys
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        needs = f"zonesim needs {', '.join(missing)}: pip install 'corororo[zonesim]'"
        sys.stderr.write(f"{needs}\n")
        return 2

    from zonesim.system.interrupts import end_at_once, end_undisturbed

    end_at_once()
    # Workers multiply no matrices: numpy and scipy would start a thread per core for that in each
    # of them, and those threads spin. A value that the user has set is kept.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from zonesim.cli.main import main as run_command_line

    code = run_command_line()
    end_undisturbed()
    return code


if __name__ == "__main__":
    raise SystemExit(main())
