"""What every parity script needs: where golden files lie, and a provenance line for each."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def write(name, script, packages, **values):
    """Writes golden/NAME.json: the values, and which script and packages they come from."""
    provenance = {"script": f"tests/parity/{Path(script).name}", "python": platform.python_version()}
    provenance |= {package: version(package) for package in packages}
    GOLDEN.mkdir(exist_ok=True)
    text = json.dumps({"provenance": provenance, **values}, indent=None, separators=(",", ":"))
    (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")
