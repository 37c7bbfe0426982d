"""A stranger's client, generated from proto/ alone: python explain.py ADDRESS PROTO_DIR IMAGE ORIGINAL

Asks for an explanation and checks what the contract promises. Prints one line of JSON.
"""

import json
import struct
import sys
import tempfile
from pathlib import Path

import grpc
from grpc_tools import protoc


def generate(proto: Path, out: str) -> None:
    files = [str(p.relative_to(proto)) for p in sorted((proto / "unmask/v1").glob("*.proto"))]
    arguments = ["protoc", f"-I{proto}", f"--python_out={out}", f"--grpc_python_out={out}", *files]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc refuses the contract")
    sys.path.insert(0, out)


def main(address: str, proto: str, image: str, original: str) -> None:
    with tempfile.TemporaryDirectory() as out:
        generate(Path(proto), out)
        from unmask.v1 import (
            explanation_service_pb2 as messages,
            explanation_service_pb2_grpc as services,
            method_pb2 as methods,
            model_service_pb2 as models,
            model_service_pb2_grpc as model_services,
        )

        channel = grpc.insecure_channel(address)
        served = model_services.ModelServiceStub(channel).ListModels(models.ListModelsRequest()).models
        assert any(m.is_default for m in served)

        stub = services.ExplanationServiceStub(channel)
        answer = stub.Explain(
            messages.ExplainRequest(
                request_id="from-python",
                image=Path(image).read_bytes(),
                method=methods.Method(rise=methods.Rise(masks=500)),
                fill=methods.Fill(image=methods.ImageFill(image=Path(original).read_bytes())),
                outputs=[messages.OUTPUT_OVERLAY],
            ),
            timeout=120,
        )
        assert answer.request_id == "from-python"
        assert answer.overlay_png.startswith(b"\x89PNG")
        values = struct.unpack(f"<{answer.map.height * answer.map.width}f", answer.map.values)
        assert max(values) > 0
        assert answer.resolved.method.rise.grid == 7
        assert answer.cost.run == answer.cost.announced == 502

        try:
            stub.Explain(messages.ExplainRequest(image=b"words"), timeout=30)
            raise SystemExit("a text file was explained")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
            assert error.details().startswith("image: "), error.details()

        print(json.dumps({"label": answer.prediction.label, "top": answer.regions[0].evidence_share}))


if __name__ == "__main__":
    main(*sys.argv[1:])
