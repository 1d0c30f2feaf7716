"""A Unix socket in front of an engine's, which can be made to hang: then it takes connections and answers nobody."""
import os
import socket
import threading


class HangingSocket:
    def __init__(self, path, engine_socket):
        self.path, self.engine_socket = str(path), engine_socket
        self.answers = threading.Event()
        self.answers.set()
        self.is_closed = False
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def hang(self):
        """From now on; what is under way stops too."""
        self.answers.clear()

    def go_on(self):
        self.answers.set()

    def close(self):
        self.is_closed = True
        self.answers.set()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        self.answers.wait()
        engine = socket.socket(socket.AF_UNIX)
        try:
            engine.connect(self.engine_socket)
        except OSError:
            client.close()
            return
        for pair in ((client, engine), (engine, client)):
            threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source, sink):
        try:
            while piece := source.recv(65536):
                self.answers.wait()
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (source, sink):
                one.close()
