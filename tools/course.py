"""``make course``: run the course's notebooks and store in them what they show."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTEBOOKS = sorted(DOCS.glob("course.*.ipynb"))
KEPT = {"kernelspec", "language_info"}  # of the metadata; the versions in it would change with every machine


def executed(path: Path) -> NotebookNode:
    """The notebook as a fresh kernel leaves it; a cell that fails raises CellExecutionError."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, record_timing=False, coalesce_streams=True).execute()
    notebook.metadata = {k: v for k, v in notebook.metadata.items() if k in KEPT}
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


if __name__ == "__main__":
    for path in NOTEBOOKS:
        nbformat.write(executed(path), path)
