"""GitHub on the loopback interface: the REST endpoints that the weekly workflow uses, and git over HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["BOT", "REPOSITORY", "GitHub", "github"]

REPOSITORY: Final = "choria/lifecycle"
BOT: Final = "github-actions[bot]"
_TOKEN: Final = "loopback-token"
_BODY_LIMIT: Final = 65_536


class _RefusedError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str, *details: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.answer = {"message": message, "errors": [{"message": detail} for detail in details]}


class GitHub:
    """The state of one repository.

    Attributes:
        environment: the variables that a job of a workflow has.
        bare: the repository that git pushes to.
        issues: issues and pull requests, in the order of their numbers from 1, as the REST API shows them.
        comments: the comments of each issue by its number.
        enabled: the workflows that were enabled.
        refuse: status, message and detail of the requests to refuse, by a pattern for method and path.
        requests: method and path of each request.
    """

    def __init__(self, bare: Path, url: str) -> None:
        self.environment = {
            "GITHUB_API_URL": f"{url}/api",
            "GITHUB_REF_NAME": "main",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": "1001",
            "GITHUB_SERVER_URL": url,
            "GITHUB_TOKEN": _TOKEN,
        }
        self.bare = bare
        self.issues: list[dict[str, Any]] = []
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.enabled: list[str] = []
        self.refuse: dict[str, tuple[int, str] | tuple[int, str, str]] = {}
        self.requests: list[str] = []
        self._lock = threading.Lock()

    @property
    def pulls(self) -> list[dict[str, Any]]:
        """The pull requests."""
        return [issue for issue in self.issues if "pull_request" in issue]

    def add_issue(self, title: str, body: str | None, login: str = BOT, **more: Any) -> dict[str, Any]:
        """Open an issue or pull request."""
        number = len(self.issues) + 1
        issue = {"number": number, "title": title, "body": body, "state": "open", "user": {"login": login}, **more}
        self.issues.append(issue)
        self.comments[number] = []
        return issue

    def add_comment(self, number: int, body: str, login: str = BOT) -> dict[str, Any]:
        """Add a comment to an issue."""
        comment = {"body": body, "user": {"login": login}}
        self.comments[number].append(comment)
        return comment

    def answer(self, method: str, target: str, authorization: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Return status and content of the answer to a request."""
        parts = urlsplit(target)
        path = parts.path.removeprefix(f"/api/repos/{REPOSITORY}")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        with self._lock:
            self.requests.append(f"{method} {path}")
            try:
                self._check(f"{method} {path}", authorization, body)
                return self._route(method, path, query, body)
            except _RefusedError as error:
                return error.status, error.answer

    def _check(self, request: str, authorization: str, body: dict[str, Any]) -> None:
        if authorization != f"Bearer {_TOKEN}":
            raise _RefusedError(401, "Bad credentials")
        for pattern, refusal in self.refuse.items():
            if re.fullmatch(pattern, request):
                raise _RefusedError(*refusal)
        if len(body.get("body", "")) > _BODY_LIMIT:
            raise _RefusedError(422, "Validation Failed", f"body is too long (maximum is {_BODY_LIMIT} characters)")

    def _route(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        match method, *path.strip("/").split("/"):
            case "GET", "issues":
                return 200, _page([issue for issue in self.issues if issue["state"] == query["state"]], query)
            case "POST", "issues":
                return 201, self.add_issue(**body)
            case "PATCH", "issues", number:
                self._issue(number).update(body)
                return 200, self._issue(number)
            case "GET", "issues", number, "comments":
                return 200, _page(self.comments[self._issue(number)["number"]], query)
            case "POST", "issues", number, "comments":
                return 201, self.add_comment(self._issue(number)["number"], **body)
            case "GET", "pulls":
                owner = REPOSITORY.partition("/")[0]
                return 200, [pull for pull in self.pulls if f"{owner}:{pull['head']}" == query["head"]]
            case "POST", "pulls":
                self._check_pull(body["head"])
                return 201, self.add_issue(**body, pull_request={})
            case "PUT", "actions", "workflows", workflow, "enable":
                self.enabled.append(workflow)
                return 204, None
        raise _RefusedError(404, "Not Found")

    def _issue(self, number: str) -> dict[str, Any]:
        if not 0 < int(number) <= len(self.issues):
            raise _RefusedError(404, "Not Found")
        return self.issues[int(number) - 1]

    def _check_pull(self, head: str) -> None:
        command = ["git", "-C", str(self.bare), "rev-parse", "--quiet", "--verify", f"refs/heads/{head}"]
        if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
            raise _RefusedError(422, "Validation Failed", f"head {head} is not a branch")
        if any(pull["head"] == head and pull["state"] == "open" for pull in self.pulls):
            raise _RefusedError(422, "Validation Failed", f"A pull request already exists for {head}.")

    def serve_git(self, handler: BaseHTTPRequestHandler, data: bytes) -> tuple[int, dict[str, str], bytes]:
        """Run git's own CGI program; return status, headers and body of its answer."""
        credentials = base64.b64encode(f"x-access-token:{_TOKEN}".encode()).decode()
        if handler.headers["Authorization"] != f"Basic {credentials}":
            return 401, {"WWW-Authenticate": "Basic"}, b""
        parts = urlsplit(handler.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(self.bare.parent.parent),
            "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
            "CONTENT_LENGTH": str(len(data)),
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "REMOTE_USER": "x-access-token",
            "REQUEST_METHOD": handler.command,
        }
        done = subprocess.run(["git", "http-backend"], env=environment, input=data, capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        return int(headers.pop("Status", "200").split()[0]), headers, body


def _page(items: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    size = int(query["per_page"])
    start = (int(query["page"]) - 1) * size
    return items[start : start + size]


class _Server(ThreadingHTTPServer):
    state: GitHub


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay silent; `GitHub.requests` is the log."""

    def _handle(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {"Content-Type": "application/json"}
        if self.path.startswith("/api/"):
            authorization = self.headers.get("Authorization", "")
            status, content = self.server.state.answer(
                self.command, self.path, authorization, json.loads(data or b"{}")
            )
            body = b"" if content is None else json.dumps(content).encode()
        else:
            status, headers, body = self.server.state.serve_git(self, data)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_PUT = _handle  # noqa: N815 - names that http.server defines


@contextmanager
def github(folder: Path) -> Iterator[GitHub]:
    """Run the server, with an empty repository below `folder`."""
    bare = folder / f"{REPOSITORY}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.state = GitHub(bare, f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.state
        finally:
            server.shutdown()
            thread.join()
