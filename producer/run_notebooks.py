"""Executes notebooks without changing them, and says which passed.

Each notebook checks in its last cell what it read from Redis, so executing it is a test.
usage: python run_notebooks.py NOTEBOOK…
Prints one line for each, `ok NAME: …` or `FAILED NAME: …`; the exit code is the number of failures.
"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError


def last_text(notebook: nbformat.NotebookNode) -> str:
    """What the last cell printed."""
    return "".join(output.get("text", "") for output in notebook.cells[-1].get("outputs", [])).strip()


def execute(path: Path) -> bool:
    """Whether the notebook ran to its end."""
    notebook, began = nbformat.read(path, as_version=4), time.monotonic()
    client = NotebookClient(notebook, timeout=180, kernel_name="python3", resources={"metadata": {"path": path.parent}})
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError, RuntimeError) as error:
        print(f"{error}\nFAILED {path.name}", flush=True)
        return False
    print(f"ok {path.name}: {last_text(notebook)} ({time.monotonic() - began:.0f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(sum(not execute(Path(argument)) for argument in sys.argv[1:]))
