"""An OTLP receiver of another implementation than the exporter: OpenTelemetry's Python messages and Google's gRPC.

usage: receiver.py PROTOCOL BEHAVIOUR OUT [CERTIFICATE KEY]

PROTOCOL   http/protobuf or grpc
BEHAVIOUR  good      takes everything
           hang      takes the connection and never answers
           garbage   answers with bytes that are nothing
           NUMBER    refuses with this status of HTTP, or code of gRPC; "NUMBER+N" does so N times, then is good
OUT        every request is written here, one JSON object a line, whatever the answer

Prints the port it listens on, and ends when its standard input does.
"""

import gzip
import json
import os
import socket
import ssl
import sys
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

SIGNALS = {
    "logs": (logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse),
    "traces": (traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse),
    "metrics": (metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse),
}

protocol, behaviour, path = sys.argv[1:4]
pem = sys.argv[4:6]
lock = threading.Lock()
out = open(path, "w")
refusals = 0


def note(signal, headers, **more):
    with lock:
        out.write(json.dumps({"signal": signal, "headers": headers, **more}) + "\n")
        out.flush()


def refused():
    """The status to refuse with, None to take it."""
    global refusals
    if behaviour == "good":
        return None
    code, _, times = behaviour.partition("+")
    with lock:
        refusals += 1
        return int(code) if not times or refusals <= int(times) else None


def content(request):
    # Of a trace and its spans the bytes are wanted as hex, as people write them.
    text = MessageToDict(request, preserving_proto_field_name=True)

    def hexed(value):
        if isinstance(value, list):
            return [hexed(one) for one in value]
        if not isinstance(value, dict):
            return value
        import base64

        ids = ("trace_id", "span_id", "parent_span_id")
        return {k: base64.b64decode(v).hex() if k in ids else hexed(v) for k, v in value.items()}

    return hexed(text)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        signal = self.path.removeprefix("/v1/")
        if signal not in SIGNALS or headers["content-type"] != "application/x-protobuf":
            note("unknown", headers, path=self.path)
            return self.answer(404, b"")
        request, response = SIGNALS[signal]
        note(signal, headers, content=content(request.FromString(body)))
        code = refused()
        if code is not None:
            return self.answer(code, b"no", {"Retry-After": "1"} if code == 429 else {})
        self.answer(200, response().SerializeToString())

    def answer(self, code, body, more={}):
        self.send_response(code)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def answering(signal):
    _, response = SIGNALS[signal]

    def export(request, context):
        headers = {key: value for key, value in context.invocation_metadata()}
        note(signal, headers, content=content(request))
        code = refused()
        if code is not None:
            known = next(one for one in grpc.StatusCode if one.value[0] == code)
            context.abort(known, "no")
        return response()

    return export


def serve_grpc():
    server = grpc.server(futures.ThreadPoolExecutor(8))
    for signal, service, add in (
        ("logs", logs_grpc.LogsServiceServicer, logs_grpc.add_LogsServiceServicer_to_server),
        ("traces", traces_grpc.TraceServiceServicer, traces_grpc.add_TraceServiceServicer_to_server),
        ("metrics", metrics_grpc.MetricsServiceServicer, metrics_grpc.add_MetricsServiceServicer_to_server),
    ):
        servicer = service()
        servicer.Export = answering(signal)
        add(servicer, server)
    if pem:
        certificate, key = (open(name, "rb").read() for name in pem)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


def serve_http():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def serve_nothing():
    """Takes connections, and then says nothing or nonsense, whatever the protocol."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    kept = []
    while True:
        connection, _ = listener.accept()
        note("connection", {})
        if behaviour == "garbage":
            try:
                connection.recv(65536)
                connection.sendall(bytes(range(256)) * 64)
            except OSError:
                pass
            connection.close()
        else:
            kept.append(connection)


def end_with_the_test():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_the_test, daemon=True).start()
if behaviour in ("hang", "garbage"):
    serve_nothing()
elif protocol == "grpc":
    serve_grpc()
else:
    serve_http()
