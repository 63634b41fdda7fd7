"""The environment in which the others are installed; nothing of it comes into ours."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".venv-peers"
CONSTRAINTS = ("constraints.txt", "constraints-peers.txt")
PEERS = ("torch-pruning", "nvidia-modelopt", "requests", "huggingface-hub")
"""The last two are read by NVIDIA ModelOpt, which does not ask for them."""

ALONE = ("torchprofile",)
"""Read by it as well, in an older version, which asks for torchvision and does without."""


def python_of(folder: Path) -> Path:
    """The interpreter of the environment, which is made if it is not there or is of older versions.

    Raises:
        subprocess.CalledProcessError: if a package cannot be installed.
    """
    python, stamp = folder / "bin" / "python", folder / ".installed"
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in (*CONSTRAINTS, "setup.cfg")]
    wanted = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing the others into {folder}: some minutes", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pins = [word for name in CONSTRAINTS for word in ("-c", name)]
    install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    variables = {**os.environ, "PIP_BUILD_CONSTRAINT": "constraints.txt"}
    for what in (["-e", ".[onnx,search]", *PEERS], ["--no-deps", *ALONE]):
        subprocess.run([*install, *pins, *what], cwd=ROOT, env=variables, check=True)
    stamp.write_text(wanted, encoding="utf-8")
    return python
