"""A proxy before a mint that disturbs one request: what a network does, to mints that know no faults."""

import http.client
import socket
import threading
import time

LATE_S = 5
FAULTS = ("request lost", "answer lost", "answered late", "done twice", "503", "429", "aborted")


def read_message(f):
    """One HTTP request: its first line, headers and body; None at the end."""
    first = f.readline().decode().split()
    if len(first) < 3:
        return None
    headers = http.client.parse_headers(f)
    return first[0], first[1], headers, f.read(int(headers.get("Content-Length") or 0))


class Proxy:
    """Forwards `port` to the mint at `to`. disturb() arms one fault for a later POST /v1/swap."""

    def __init__(self, port, to):
        self.to, self.fault, self.skip, self.happened = to, None, 0, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.serve, daemon=True).start()
        self.url = f"http://127.0.0.1:{port}"

    def disturb(self, fault, skip):
        with self.lock:
            self.fault, self.skip, self.happened = fault, skip, 0

    def take(self, method, path):
        with self.lock:
            if not self.fault or method != "POST" or path != "/v1/swap":
                return None
            if self.skip:
                self.skip -= 1
                return None
            fault, self.fault, self.happened = self.fault, None, 1
            return fault

    def serve(self):
        while True:
            peer = self.listener.accept()[0]
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def ask(self, message):
        method, path, headers, body = message
        upstream = http.client.HTTPConnection("127.0.0.1", self.to, timeout=60)
        keep = {k: v for k, v in headers.items() if k.lower() in ("content-type", "accept", "user-agent")}
        upstream.request(method, path, body=body or None, headers=keep)
        answer = upstream.getresponse()
        return answer.status, answer.reason, answer.getheader("Content-Type") or "application/json", answer.read()

    def abort(self, message):
        """Send it whole and hang up at once."""
        method, path, headers, body = message
        with socket.create_connection(("127.0.0.1", self.to)) as upstream:
            head = f"{method} {path} HTTP/1.1\r\nHost: mint\r\nContent-Type: {headers.get('Content-Type')}\r\n" \
                   f"Content-Length: {len(body)}\r\n\r\n"
            upstream.sendall(head.encode() + body)
            upstream.shutdown(socket.SHUT_RDWR)

    def disturbed(self, fault, message):
        """The answer to give; None: hang up."""
        if fault == "503":
            return 503, "Service Unavailable", "application/json", b'{"detail":"by the test"}'
        if fault == "429":
            return 429, "Too Many Requests", "application/json", b'{"detail":"by the test"}'
        if fault == "request lost":
            return None
        if fault == "aborted":
            self.abort(message)
            return None
        if fault == "answered late":
            time.sleep(LATE_S)
        if fault == "done twice":
            self.ask(message)
        answer = self.ask(message)
        return None if fault == "answer lost" else answer

    def talk(self, peer):
        with peer, peer.makefile("rb") as f:
            try:
                while message := read_message(f):
                    fault = self.take(message[0], message[1])
                    answer = self.disturbed(fault, message) if fault else self.ask(message)
                    if not answer:
                        return
                    status, reason, kind, body = answer
                    peer.sendall(f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\n"
                                 f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            except (OSError, http.client.HTTPException):
                return
