"""rocrate-validator on a list of crates: a program for its own environment (.venv-roc), which has none of ours.

In: one JSON value, `{"contexts": {address: document}, "profiles": folder or null, "jobs": [job, …]}`, a job being
`{"profile", "severity", "metadata" or "path"}`. Out: a JSON list, for each job `{"found": [[profile, check, severity,
entity], …], "seconds": …}`.

Nothing reaches the network: no socket connects, and what would be fetched is answered here, the contexts from those
that Cinque carries, anything else as not found. It is done below the HTTP library, so that the validator takes its
ordinary way and needs no cache that somebody warmed.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import time
from pathlib import Path
from typing import Any

import requests


def closed(*_: Any, **__: Any) -> None:
    raise OSError("no connection is opened here")


def answering(contexts: dict[str, Any]) -> Any:
    def send(_: Any, request: requests.PreparedRequest, **__: Any) -> requests.Response:
        response = requests.Response()
        response.request, response.url = request, str(request.url)
        known = contexts.get(response.url)
        response.status_code = 404 if known is None else 200
        response.headers["Content-Type"] = "application/ld+json"
        response._content = json.dumps(known or {}).encode()
        return response

    return send


def judged(job: dict[str, Any], profiles: str | None) -> dict[str, Any]:
    from rocrate_validator import services

    settings: dict[str, Any] = {
        "profile_identifier": job["profile"],
        "requirement_severity": job["severity"],
        "extra_profiles_path": Path(profiles) if profiles else None,
        "no_cache": True,
        "skip_availability_check": True,
    }
    started = time.perf_counter()
    if "metadata" in job:
        settings |= {"metadata_only": True, "metadata_dict": job["metadata"]}
        result = services.validate_metadata_as_dict(job["metadata"], settings)
    else:
        result = services.validate({**settings, "rocrate_uri": job["path"]})
    seconds = time.perf_counter() - started
    found = [
        [issue.check.requirement.profile.identifier, issue.check.name, issue.severity.name, str(issue.violatingEntity)]
        for issue in result.get_issues()
    ]
    return {"found": found, "seconds": seconds}


def main() -> None:
    given = json.load(sys.stdin)
    socket.socket.connect = closed  # type: ignore[method-assign]  # whatever goes past requests
    requests.adapters.HTTPAdapter.send = answering(given["contexts"])  # type: ignore[method-assign]
    logging.disable(logging.WARNING)
    said, sys.stdout = sys.stdout, sys.stderr
    answers = [judged(job, given["profiles"]) for job in given["jobs"]]
    json.dump(answers, said)


if __name__ == "__main__":
    main()
