"""What a measurement was made on, as one line to print beside it."""

import os
import platform
from pathlib import Path

import torch


def facts():
    """Processor, cores, its bf16 units and torch with its threads."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").is_file() else ""
    names = [line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")]
    units = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if f" {flag} " in f"{text} "]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = names[0] if names else platform.processor() or platform.machine()
    parts = [name, f"{cores} cores", "+".join(units[:2]) or "no vector units known"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join([*parts, f"torch {torch.__version__} with {torch.get_num_threads()} threads"])
