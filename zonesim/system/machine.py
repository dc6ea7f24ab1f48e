"""What this machine is and what runs on it. Names neither the host nor its user."""

from __future__ import annotations

import os
import platform
from importlib import metadata

from corororo.processes import usable_cpus
from zonesim.system.operating_system import peak_memory_bytes, read_proc

PACKAGES = ("corororo", "trio", "msgspec", "scipy", "matplotlib")


def describe_machine() -> dict[str, str | int]:
    """Describe the hardware and the system that figures were measured on."""
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count() or 1,
        "cpus_usable": usable_cpus(),
        "memory_mb": _memory_mb(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "architecture": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a run's figures depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def version(package: str) -> str:
    """The version of an installed package; "not installed" for any other."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def pss_mb(pid: int) -> float | None:
    """Proportional memory of a process in MB (10^6 bytes); None where the system does not tell.

    Pages shared by n processes count 1/n in each, so the sum over processes is what they take.
    """
    for line in read_proc(str(pid), "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1_024 / 1_000_000
    return None


def own_memory_mb() -> float:
    """Memory of this process in MB: proportional, or its peak where nothing else is told."""
    now_mb = pss_mb(os.getpid())
    return peak_memory_bytes() / 1_000_000 if now_mb is None else now_mb


def _cpu_model() -> str:
    lines = read_proc("cpuinfo").splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000
