"""Asks an Unmask server why its detector decided what it decided about a picture, and prints one line of JSON.

    explain.py [--ca FILE] [--cert FILE --key FILE] [--token FILE] [--overlay FILE] [--passes N] [--seconds N] ADDRESS IMAGE

Needs grpcio and grpcio-status, and on PYTHONPATH what protoc makes of proto/. docs/clients.md tells how.
"""

import argparse
import hashlib
import json
import random
import sys
import time
from pathlib import Path

import grpc
from google.rpc import error_details_pb2 as details
from grpc_status import rpc_status
from unmask.v1 import explanation_service_pb2 as messages
from unmask.v1 import explanation_service_pb2_grpc as services
from unmask.v1 import method_pb2 as methods
from unmask.v1 import result_pb2 as results

# With all its pictures an answer is larger than the 4 MiB that gRPC receives where nothing is said.
LARGEST = 32 << 20
# Requests take turns over all addresses of a name, such as those of a headless Service.
BALANCING = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
TRIES = 10
# Each window hidden, and shown alone, over the same picture changed so that the detector decides otherwise. Over a colour, a map of
# a detector of manipulation shows above all that a patch looks manipulated.
METHOD = methods.Method(occlusion=methods.Occlusion(mode=methods.OCCLUSION_MODE_BOTH))
FILL = methods.Fill(adversarial=methods.AdversarialFill())


def connect(args: argparse.Namespace) -> grpc.Channel:
    target = f"dns:///{args.address}"
    options = [("grpc.service_config", BALANCING), ("grpc.max_receive_message_length", LARGEST)]
    if not args.ca:
        return grpc.insecure_channel(target, options)
    ca, key, cert = (file and file.read_bytes() for file in (args.ca, args.key, args.cert))
    credentials = grpc.ssl_channel_credentials(ca, key, cert)
    if args.token:
        token = grpc.access_token_call_credentials(args.token.read_text().strip())
        credentials = grpc.composite_channel_credentials(credentials, token)
    return grpc.secure_channel(target, credentials, options)


def detail(error: grpc.RpcError, kind):
    """The detail of this kind that an error carries (google.rpc.Status), empty where there is none, and whether there is one."""
    status, found = rpc_status.from_call(error), kind()
    return found, status is not None and any(packed.Unpack(found) for packed in status.details)


def pause(error: grpc.RpcError, tries: int) -> float | None:
    """Seconds after which to ask again; none where the answer would be the same."""
    code = error.code()
    if code not in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE):
        return None
    info, told = detail(error, details.RetryInfo)
    if told:
        seconds = info.retry_delay.ToTimedelta().total_seconds()
    elif code is grpc.StatusCode.UNAVAILABLE:
        seconds = min(0.25 * 2**tries, 8.0)
    else:
        # A message that is too large is RESOURCE_EXHAUSTED as well, and stays too large.
        return None
    # Those who were turned away together shall not come back together.
    return seconds * random.uniform(1.0, 1.25)


def explain(stub, request: messages.ExplainRequest, seconds: float) -> messages.ExplainResponse:
    """Asks until there is an answer, an error that stays, or no time. The deadline is that of all tries together."""
    end = time.monotonic() + seconds
    for tries in range(TRIES):
        try:
            return stub.Explain(request, timeout=max(end - time.monotonic(), 0.0))
        except grpc.RpcError as error:
            wait = pause(error, tries)
            if wait is None or tries + 1 == TRIES or time.monotonic() + wait >= end:
                raise
            print(f"{error.code().name}: {error.details()}; asking again in {wait:.1f} s", file=sys.stderr)
            time.sleep(wait)


def told(answer: messages.ExplainResponse) -> str:
    cut = (results.SAVING_REASON_BUDGET, results.SAVING_REASON_DEADLINE)
    prediction = answer.prediction
    line = {
        "label": prediction.label,
        "probability": next(s.probability for s in prediction.scores if s.label == prediction.label),
        "top_share": answer.regions[0].evidence_share,
        "passes": answer.cost.run,
        "truncated": any(saving.reason in cut for saving in answer.cost.saved),
        "map_sha256": hashlib.sha256(answer.map.values).hexdigest(),
        "warnings": list(answer.warnings),
    }
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def passes(text: str) -> int:
    """What the message's field can hold; whether it is enough, the server says."""
    if not text.isdecimal() or int(text) >= 1 << 64:
        raise argparse.ArgumentTypeError(f"got {text}, a whole number from 0 to 2**64 - 1 is needed")
    return int(text)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("address", help="HOST:PORT")
    parser.add_argument("image", type=Path)
    parser.add_argument("--ca", type=Path, help="authorities of the server's certificate (PEM); plaintext without it")
    parser.add_argument("--cert", type=Path, help="own certificate (PEM), where the server wants one")
    parser.add_argument("--key", type=Path, help="its private key (PEM)")
    parser.add_argument("--token", type=Path, help="file of a bearer token")
    parser.add_argument("--overlay", type=Path, help="where to write the map over the picture (PNG)")
    parser.add_argument("--passes", type=passes, help="most forward passes to spend")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to wait, all tries together")
    args = parser.parse_args()
    if args.token and not args.ca:
        parser.error("--token needs --ca: whoever is on the way could take it")
    if (args.cert is None) != (args.key is None):
        parser.error("--cert and --key need each other")
    if args.cert and not args.ca:
        parser.error("--cert and --key need --ca: a certificate is shown over TLS only")
    request = messages.ExplainRequest(image=args.image.read_bytes(), method=METHOD, fill=FILL)
    if args.overlay:
        request.outputs.append(messages.OUTPUT_OVERLAY)
    if args.passes is not None:
        request.budget.max_passes = args.passes
    with connect(args) as channel:
        try:
            answer = explain(services.ExplanationServiceStub(channel), request, args.seconds)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}", file=sys.stderr)
            for wrong in detail(error, details.BadRequest)[0].field_violations:
                print(f"  {wrong.field}: {wrong.description}", file=sys.stderr)
            return 1
    if args.overlay:
        args.overlay.write_bytes(answer.overlay_png)
    print(told(answer))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(str(error))
