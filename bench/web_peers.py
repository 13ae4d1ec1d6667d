"""nginx and h2o with one small answer, the peers of Volley's own.

Both run with one worker per core. nginx answers from its configuration (`return`), h2o from a file,
whose descriptor and metadata it keeps.

SPDX-License-Identifier: Apache-2.0
"""
import getpass
import os
import shutil
import socket

from processes import Server, free_ports, wait_for

# Where the unpacked Debian packages have them.
PROGRAMS = {"nginx": "usr/sbin/nginx", "h2o": "usr/bin/h2o"}
ANSWER = '{"status":"alive"}'
PATH = "/healthz"

NGINX = """
daemon off;
pid {folder}/nginx.pid;
user {user};
worker_processes {cores};
events {{ worker_connections 4096; }}
http {{
    access_log {log};
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    default_type application/json;
    server {{
        listen 127.0.0.1:{h1};
        listen 127.0.0.1:{h2} http2;
        location = {path} {{ return 200 '{answer}'; }}
    }}
}}
"""

H2O = """
user: {user}
num-threads: {cores}
pid-file: {folder}/h2o.pid
error-log: {folder}/error.log
{log}
listen:
  host: 127.0.0.1
  port: {h1}
hosts:
  default:
    paths:
      {path}:
        file.file: {folder}/answer.json
"""


def find(built, name):
    """The unpacked program, else the installed one, else None."""
    unpacked = built / "debian" / PROGRAMS[name]
    return unpacked if unpacked.exists() else shutil.which(name)


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(context, name, is_logged):
    folder = context.folder / f"{name}-{'logged' if is_logged else 'quiet'}"
    folder.mkdir()
    (folder / "answer.json").write_text(ANSWER)
    h1 = free_ports(2)
    h2 = h1 + 1 if name == "nginx" else h1
    places = {"folder": folder, "user": getpass.getuser(), "cores": len(os.sched_getaffinity(0)),
              "h1": h1, "h2": h2, "path": PATH, "answer": ANSWER}
    configuration = folder / "configuration"
    program = find(context.built, name)
    if name == "nginx":
        log = f"{folder}/access.log combined buffer=64k flush=1s" if is_logged else "off"
        configuration.write_text(NGINX.format(log=log, **places))
        command = [program, "-e", "stderr", "-p", folder, "-c", configuration]
    else:
        log = f"access-log: {folder}/access.log" if is_logged else ""
        configuration.write_text(H2O.format(log=log, **places))
        command = [program, "-m", "worker", "-c", configuration]
    server = Server(folder.name, command, folder)
    wait_for(lambda: is_listening(h1), f"the start of {name}")
    server.addresses = {"h1": f"127.0.0.1:{h1}", "h2": f"127.0.0.1:{h2}"}
    return server
