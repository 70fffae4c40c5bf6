"""Firefox without a driver program: WebDriver BiDi, which it speaks by itself."""

import json
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from queue import Queue

from helpers.processes import end
from websocket import create_connection

PROGRAMS = ("firefox", "firefox-esr")
LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
SECONDS = 60  # for an answer
KEYS = {"ArrowLeft": "\ue012", "ArrowRight": "\ue014", "Escape": "\ue00c"}


def program():
    """The path of Firefox, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def firefox(profile):
    """A fresh headless Firefox with one page.

    Args:
        profile: an empty folder.
    """
    command = [program(), "--headless", "--no-remote", "--remote-debugging-port=0"]
    process = subprocess.Popen(
        [*command, "--profile", str(profile)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = f"{_address(process)}/session"
        connection = create_connection(address, timeout=SECONDS, suppress_origin=True)
        try:
            yield Page(connection)
        finally:
            connection.close()
    finally:
        end(process)


def _address(process):
    """What Firefox prints when it listens; the rest of its output is read and thrown away."""
    lines = Queue()

    def read():
        with process.stderr:
            for line in process.stderr:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while line := lines.get(timeout=SECONDS):
        if found := LISTENS.search(line):
            return found[1].rstrip("/")
    raise RuntimeError("Firefox did not start")


class Page:
    """The page of a Firefox.

    Attributes:
        messages: what its console said, errors and warnings of scripts.
    """

    def __init__(self, connection):
        self.connection, self.number, self.messages = connection, 0, []
        self.send("session.new", {"capabilities": {}})
        self.send("session.subscribe", {"events": ["log.entryAdded"]})
        self.context = self.send("browsingContext.getTree", {})["contexts"][0]["context"]

    def send(self, method, parameters):
        """Send a command; return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.connection.send(json.dumps(message))
        while True:
            answer = json.loads(self.connection.recv())
            if answer.get("method") == "log.entryAdded":
                self.messages.append(answer["params"]["text"])
            if answer.get("id") == self.number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def open(self, url):
        """Open a page and wait until it is loaded."""
        self.send(
            "browsingContext.navigate", {"context": self.context, "url": url, "wait": "complete"}
        )

    def size(self, width, height):
        """Set the size of what is seen."""
        viewport = {"width": width, "height": height}
        self.send("browsingContext.setViewport", {"context": self.context, "viewport": viewport})

    def run(self, script):
        """Run the body of a function; return its result, as JSON holds it."""
        call = {
            "functionDeclaration": f"() => JSON.stringify((() => {{ {script} }})() ?? null)",
            "awaitPromise": False,
            "target": {"context": self.context},
        }
        answer = self.send("script.callFunction", call)
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"]["value"])

    def press(self, key):
        """Press a key on what has the focus."""
        value = KEYS.get(key, key)
        actions = [{"type": kind, "value": value} for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self.send("input.performActions", {"context": self.context, "actions": [source]})
