"""A proxy before MariaDB that loses the answer to a commit: it is done, and the connection ends without a word."""

import contextlib
import socket
import threading

HEADER_BYTES = 4  # of a packet of MariaDB's: 3 of its length, one number
COMMIT = b"\x03COMMIT"  # COM_QUERY
OK = 0


class LossyProxy:
    """Counts the commits whose answer it lost: as many as lose() allowed, from then on."""

    def __init__(self, port):
        self.port, self.left, self.lost = port, 0, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.number = self.listener.getsockname()[1]
        self._run(self._accept)

    def lose(self, count):
        with self.lock:
            self.left += count

    def close(self):
        self.listener.close()

    @staticmethod
    def _run(what, *given):
        def until_closed():
            with contextlib.suppress(OSError):
                what(*given)
        threading.Thread(target=until_closed, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                client.close()
                continue
            losing = threading.Event()
            self._run(self._upstream, client, server, losing)
            self._run(self._downstream, client, server, losing)

    def _upstream(self, client, server, losing):
        """Packet by packet, to see which one is a commit."""
        with server:
            while packet := self._packet(client):
                if packet[HEADER_BYTES:] == COMMIT:
                    with self.lock:
                        if self.left:
                            self.left -= 1
                            losing.set()
                server.sendall(packet)
            server.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _packet(client):
        with client.makefile("rb", buffering=0) as stream:
            def read(count):
                read = b""
                while len(read) < count and (more := stream.read(count - len(read))):
                    read += more
                return read
            header = read(HEADER_BYTES)
            return header + read(int.from_bytes(header[:3], "little")) if len(header) == HEADER_BYTES else b""

    def _downstream(self, client, server, losing):
        with client:
            while answer := server.recv(1 << 16):
                if losing.is_set():
                    with self.lock:
                        self.lost += answer[HEADER_BYTES] == OK
                    break
                client.sendall(answer)
            client.shutdown(socket.SHUT_RDWR)
