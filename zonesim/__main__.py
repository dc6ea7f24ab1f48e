"""Entry point of the `zonesim` command. Imports are local: every child process loads this too."""

NEEDED = ("click", "rich", "scipy", "matplotlib")  # of the extra; setproctitle is optional


def main() -> int:
    """Run the command line; the exit code."""
    import os
    import sys
    from importlib.util import find_spec

    prepare_streams()
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


def prepare_streams() -> None:
    """Replace closed standard streams with /dev/null; let the others print any text completely."""
    import io
    import os
    import sys

    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It takes the lowest free descriptor, that of the stream, before another file does.
            file = open(os.devnull, mode)  # noqa: SIM115 - it stays open
            os.set_inheritable(file.fileno(), True)
            setattr(sys, name, file)
    for number in (1, 2):
        os.set_blocking(number, True)  # a program that shares it may have changed that
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    raise SystemExit(main())
