"""TorchServe's gRPC service at the transport: a real server that answers by the contract, or breaks it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from animation_server.inference.contract import InferenceClient
from animation_server.inference.torchserve_grpc import SERVICE
from animation_server.inference.torchserve_wire_pb2 import PredictionAnswer, PredictionRequest
from tests.fake_torchserve import SECONDS, FakeTorchServe, answer_to, read_image


@contextmanager
def fake_torchserve_grpc(models: InferenceClient) -> Iterator[FakeTorchServe]:
    """Serve the answers of `models` for the length of the block; `url` is host:port.

    Behaviours that are names of gRPC's status codes fail the call with that status.
    """
    fake = FakeTorchServe()

    def predict(request: Any, context: grpc.ServicerContext) -> Any:
        fake.requests.append(request.model_name)
        behaviour = fake.behaviours.pop(0) if fake.behaviours else "ok"
        if behaviour in SECONDS:
            time.sleep(SECONDS[behaviour])
        elif behaviour in grpc.StatusCode.__members__:
            context.abort(grpc.StatusCode[behaviour], "worker died")
        elif behaviour != "ok":
            return PredictionAnswer(prediction=behaviour.encode())
        fake.request_ids.add(request.input["request_id"].decode())
        answer = answer_to(models, request.model_name, read_image(request.input["data"]))
        return PredictionAnswer(prediction=json.dumps(answer).encode())

    def ping(request: bytes, context: grpc.ServicerContext) -> bytes:
        fake.requests.append("ping")
        return b""

    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((_handlers(predict, ping),))
    port = server.add_insecure_port("127.0.0.1:0")
    fake.url = f"127.0.0.1:{port}"
    server.start()
    try:
        yield fake
    finally:
        server.stop(grace=None).wait()


def _handlers(predict: Callable[..., Any], ping: Callable[..., Any]) -> grpc.GenericRpcHandler:
    methods = {
        "Predictions": grpc.unary_unary_rpc_method_handler(
            predict,
            request_deserializer=PredictionRequest.FromString,
            response_serializer=PredictionAnswer.SerializeToString,
        ),
        "Ping": grpc.unary_unary_rpc_method_handler(ping),
    }
    return grpc.method_handlers_generic_handler(SERVICE.strip("/"), methods)
