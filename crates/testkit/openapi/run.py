#!/usr/bin/env python3
"""Asks a running Northing everything that its OpenAPI document allows, and much that it does not (schemathesis): no
answer may be a fault of the server (5xx), of a kind that the document does not name, or refuse what it allows.

    python3 crates/testkit/openapi/run.py --northing target/release/northing [--seconds 300] [--seed 1]

Installs schemathesis into a folder of its own below the build folder. Exits with 1 when something was found."""

import argparse
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TOOL = "schemathesis==4.32.5"


def tool(folder):
    """The tester's command, and what it needs from around it; installed where it is not yet."""
    if importlib.util.find_spec("ensurepip"):
        command = folder / "bin" / "schemathesis"
        if not command.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([folder / "bin" / "pip", "install", "--quiet", TOOL], check=True)
        return command, {}
    # Debian's Python without python3-venv: the packages lie in a folder, without an environment around them.
    packages = folder / "packages"
    command = packages / "bin" / "schemathesis"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", packages, TOOL], check=True)
    return command, {"PYTHONPATH": str(packages)}


def serve(northing, data, log):
    """A demo workspace on a free port: the process, its address and the sign-in link's secret."""
    server = subprocess.Popen([northing, "demo", "--data", data, "--serve", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=log, text=True)
    said = ""
    while True:
        line = server.stdout.readline()
        if not line:
            raise SystemExit(f"the server ended: {said}")
        said += line
        link = re.search(r"(http://localhost:\d+)/sign-in#(\w+)", said)
        if link:
            return server, link[1], link[2]


def ask(address, path, body, headers):
    request = urllib.request.Request(address + path, json.dumps(body).encode(), {"content-type": "application/json", "origin": address, **headers})
    with urllib.request.urlopen(request) as answer:
        return answer.headers, json.load(answer)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--northing", required=True)
    arguments.add_argument("--seconds", type=int, default=300)
    arguments.add_argument("--examples", type=int, default=20)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    given = arguments.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or pathlib.Path(given.northing).resolve().parent.parent)
    try:
        command, around = tool(target / "schemathesis")
    except subprocess.CalledProcessError:
        # Where nothing can be fetched (TESTER_OPTIONAL), that is said and no fault of the product's.
        if not os.environ.get("TESTER_OPTIONAL"):
            raise
        print("THE DOCUMENT WAS NOT ASKED: the tester cannot be installed here", flush=True)
        return
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "log"), "w+") as log:
        server, address, secret = serve(given.northing, os.path.join(folder, "data"), log)
        try:
            headers, _ = ask(address, "/api/session", {"token": secret}, {})
            cookie = headers["set-cookie"].split(";")[0]
            _, token = ask(address, "/api/me/tokens", {"name": "schemathesis", "days": 1}, {"cookie": cookie})
            print(f"seed {given.seed}", flush=True)
            run = subprocess.run(
                [command, "--config-file", HERE / "schemathesis.toml", "run", f"{address}/api/openapi.json", "--seed", str(given.seed), "--continue-on-failure",
                 "--max-examples", str(given.examples), "--max-time", str(given.seconds), "--phases", "examples,coverage,fuzzing"],
                cwd=folder,
                env={**os.environ, **around, "NORTHING_TOKEN": token["token"], "SCHEMATHESIS_HOOKS": str(HERE / "formats.py")},
            )
            with urllib.request.urlopen(f"{address}/livez") as alive:
                assert alive.status == 200
        finally:
            server.terminate()
            server.wait(30)
        # What failed on our side stands in the log with its cause.
        log.seek(0)
        errors = [line for line in log if " ERROR " in line]
        print("".join(errors[:20]), end="", flush=True)
        check = subprocess.run([given.northing, "check", "--data", os.path.join(folder, "data")])
    sys.exit(run.returncode or check.returncode or bool(errors))


main()
