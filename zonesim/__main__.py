"""Where the `zonesim` command begins. Imports nothing: every child process imports this too."""


def main() -> int:
    """Run the command line; the exit code."""
    import os

    from zonesim.system.interrupts import end_at_once, end_undisturbed

    end_at_once()
    # Nobody here multiplies matrices: in each worker numpy and scipy would start a thread per core
    # for it, which wait busily. What the user has set stays.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from zonesim.cli.main import main as run_command_line

    code = run_command_line()
    end_undisturbed()
    return code


if __name__ == "__main__":
    raise SystemExit(main())
