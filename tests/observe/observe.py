"""A server beside a real OTLP collector and a real Prometheus: `cargo xtask observe`.

Explains one picture as a caller that is in a trace, and then asks the collector for the caller's trace, and Prometheus whether it
has scraped the server. Prints what it found; ends with 1 where something is missing.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
STEPS = ["decode", "segment", "fill", "rounds", "fold", "render"]
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def until(what: str, look):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.2)
    raise SystemExit(f"{what} did not come within {PATIENCE:.0f} s")


def started(stack: ExitStack, command: list[str], log: Path, **more) -> subprocess.Popen:
    process = subprocess.Popen(command, stdout=stack.enter_context(log.open("wb")), stderr=subprocess.STDOUT, **more)

    def end() -> None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()

    stack.callback(end)
    return process


def explain(root: Path, address: str, out: str) -> None:
    from grpc_tools import protoc

    files = sorted(str(file) for file in (root / "proto/unmask/v1").glob("*.proto"))
    if protoc.main(["protoc", f"-I{root / 'proto'}", f"--python_out={out}", f"--grpc_python_out={out}", *files]) != 0:
        raise SystemExit("protoc refuses the contract")
    sys.path.insert(0, out)
    import grpc
    from unmask.v1 import explanation_service_pb2 as messages, explanation_service_pb2_grpc as services, method_pb2 as methods

    stub = services.ExplanationServiceStub(grpc.insecure_channel(address))
    request = messages.ExplainRequest(
        image=(root / "models/samples/astronaut-mouth.png").read_bytes(),
        method=methods.Method(rise=methods.Rise(masks=256)),
    )
    stub.Explain(request, timeout=120, metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01")])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--unmask", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    args = parser.parse_args()
    prometheus = os.environ.get("PROMETHEUS") or shutil.which("prometheus")
    if not prometheus:
        raise SystemExit("there is no prometheus: install it (such as Debian's package), or name it in PROMETHEUS")
    import rotel

    collector = str(Path(rotel.__file__).parent / "rotel-agent")
    otlp, http, admin, grpc, web = (free_port() for _ in range(5))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        folder = Path(folder)
        seen = folder / "collector.log"
        started(
            stack,
            [collector, "start", "--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"]
            + ["--otlp-grpc-endpoint", f"127.0.0.1:{otlp}", "--otlp-http-endpoint", f"127.0.0.1:{http}"],
            seen,
        )
        scrape = {"job_name": "unmask", "static_configs": [{"targets": [f"127.0.0.1:{admin}"]}]}
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
        # YAML holds JSON.
        (folder / "prometheus.yml").write_text(json.dumps(config))
        started(
            stack,
            [prometheus, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
            + [f"--web.listen-address=127.0.0.1:{web}"],
            folder / "prometheus.log",
        )
        settings = [
            f"admin.listen=127.0.0.1:{admin}",
            f"telemetry.otlp_endpoint=http://127.0.0.1:{otlp}",
            "pool.calibration=off",
            "log.format=json",
        ]
        command = [str(args.unmask), "serve", "--insecure", "--listen", f"127.0.0.1:{grpc}", "--models", "models"]
        command += [part for setting in settings for part in ("--set", setting)]
        log = folder / "unmask.log"
        server = started(stack, command, log, cwd=args.root)

        until("the admin port", lambda: get(f"http://127.0.0.1:{admin}/livez")[0] == 200)
        before = get(f"http://127.0.0.1:{admin}/readyz")
        print(f"readyz while models load: {before[0]} {before[1].strip()}")
        until("readiness", lambda: get(f"http://127.0.0.1:{admin}/readyz")[0] == 200)
        explain(args.root, f"127.0.0.1:{grpc}", str(folder))

        def query(text: str):
            status, body = get(f"http://127.0.0.1:{web}/api/v1/query?query={urllib.request.quote(text)}")
            found = json.loads(body)["data"]["result"] if status == 200 else []
            return [float(one["value"][1]) for one in found]

        until("a scrape", lambda: query('up{job="unmask"}') == [1.0])
        passes = until("passes", lambda: sum(query("unmask_passes_total")) >= 258 and query("unmask_passes_total"))
        print(f"prometheus: up 1, unmask_passes_total {passes}")
        status, page = get(f"http://127.0.0.1:{admin}/metrics")
        promtool = shutil.which("promtool")
        if promtool:
            checked = subprocess.run([promtool, "check", "metrics"], input=page, text=True, capture_output=True)
            print(f"promtool check metrics: {checked.returncode} {(checked.stdout + checked.stderr).strip()}")
            assert checked.returncode == 0, page
        assert f'"trace_id":"{TRACE}"' in log.read_text(), log.read_text()

        server.terminate()
        assert server.wait(60) == 0, log.read_text()
        plain = lambda: re.sub(r"\x1b\[[0-9;]*m", "", seen.read_text(errors="replace"))
        until("the caller's trace", lambda: TRACE in plain())
        text = plain()
        missing = [name for name in [*STEPS, "batch", "unmask.v1.ExplanationService/Explain"] if name not in text]
        assert not missing, f"{missing} are missing in\n{text[-4000:]}"
        print(f"collector: {text.count(TRACE)} mentions of the caller's trace {TRACE}; it has {', '.join(STEPS)} and batches")


main()
