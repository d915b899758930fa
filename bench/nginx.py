"""nginx beside us: with a constant, and with a Redis script for each claim."""

import contextlib
import pathlib
import socket

from processes import CORES, SERVER_CORE, Broken, Process, ask, wait_for

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  server_tokens off;
  keepalive_requests 1000000000;
  default_type application/problem+json;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ {location} }}
  }}
}}
"""


class Nginx(Process):
    """One worker that answers with a constant from memory: the status and the number of bytes of `answer`."""

    def __init__(self, folder, answer):
        status_line, body = answer.split(b"\r\n", 1)[0].decode(), answer.split(b"\r\n\r\n", 1)[1].decode()
        head = (f"{status_line}\r\nServer: nginx\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: application/problem+json"
                f"\r\nContent-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n")
        body = body.ljust(len(answer) - len(head))[: len(answer) - len(head)]
        self.serve(folder, f"return {status_line.split()[1]} '{body}';")
        told = ask(self.port, "POST", "/v1/campaigns/lunch/claims")
        if len(told) != len(answer) or not told.startswith(status_line.encode()):
            raise Broken(f"nginx answers {told} where {answer} would be as long")

    def serve(self, folder, location, modules="", cores=(SERVER_CORE,)):
        """Starts it and waits until it listens; `location` is what it does with every request."""
        folder.mkdir(exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = modules + NGINX.format(folder=folder, port=self.port, location=location)
        (folder / "nginx.conf").write_text(settings)
        Process.__init__(self, ["nginx", "-p", folder, "-c", folder / "nginx.conf"], folder / "nginx.log", cores)
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children")
        worker = wait_for("nginx has its worker", lambda: self.alive() and children.read_text().split())
        wait_for("nginx listens", self._listens)
        self.pid = int(worker[0])  # whose CPU counts; stop() ends the master, which ends the worker

    def _listens(self):
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", self.port)).close() is None


LUA_MODULES = """
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
"""

# What the tutorial would do, as fast as Redis does it: a set of users and a counter, and nothing that lasts.
SCRIPT = """
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then return -1 end
local rank = redis.call('INCR', KEYS[2])
if rank > tonumber(ARGV[2]) then return 0 end
redis.call('SADD', KEYS[1], ARGV[1])
return rank
"""

# RESP by hand over nginx's own pool of kept connections: Debian has no lua-resty-redis.
CLAIM = """
local user = ngx.var.http_x_user
if not user then return ngx.exit(401) end
local redis = ngx.socket.tcp()
redis:settimeouts(1000, 10000, 10000)
local ok, why = redis:connect('{host}', {port}, {{pool_size = 512}})
if ok then
  ok, why = redis:send({{'{command}$', #user, '\\r\\n', user, '\\r\\n{quota}'}})
end
local said
if ok then said, why = redis:receive('*l') end
local rank = said and string.byte(said) == 58 and tonumber(string.sub(said, 2))
if not rank then
  ngx.log(ngx.ERR, 'redis: ', why or said)
  return ngx.exit(503)
end
redis:setkeepalive(60000, 512)
local body
if rank > 0 then
  ngx.status = 201
  body = '{{"campaign":"lunch","user":"' .. user .. '","rank":' .. rank .. '}}'
else
  ngx.status = 409
  body = '{{"status":409}}'
end
ngx.header['Content-Type'] = 'application/json'
ngx.header['Content-Length'] = {bytes}
ngx.print(body, string.rep(' ', {bytes} - #body))
"""


def bulk(text):
    """A word of a command, as Lua writes it between quotes."""
    return f"${len(text)}\\r\\n{text}\\r\\n"


class ScriptPeer(Nginx):
    """One worker that asks `redis` for each claim, by one script, over a pool of kept connections; its answers have as many
    bytes as `answer`. Nothing is durable, and no coupon is written."""

    def __init__(self, folder, redis, quota, answer):
        self.keys = [f"firstcome-bench-peer:{{lunch}}:{name}" for name in ("users", "count")]
        self.redis = redis
        redis.ask("UNLINK", *self.keys)
        head = ("HTTP/1.1 201 Created\r\nServer: nginx\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: application/json"
                "\r\nContent-Length: 99\r\nConnection: keep-alive\r\n\r\n")
        sha = redis.ask("SCRIPT", "LOAD", SCRIPT).decode()
        command = r"*7\r\n" + "".join(map(bulk, ["EVALSHA", sha, "2", *self.keys]))
        claim = CLAIM.format(host=redis.host, port=redis.port, command=command, quota=bulk(str(quota)), bytes=len(answer) - len(head))
        self.serve(folder, "content_by_lua_block {" + claim + "}", LUA_MODULES, CORES)
        told = ask(self.port, "POST", "/v1/campaigns/lunch/claims")
        if len(told) != len(answer) or b'"rank":1}' not in told:
            raise Broken(f"the peer answers {told} where {answer} would be as long: {(folder / 'error.log').read_text()[-2000:]}")
        redis.ask("UNLINK", *self.keys)

    def winners(self):
        return self.redis.ask("SCARD", self.keys[0])

    def __exit__(self, *_):
        super().__exit__()
        self.redis.ask("UNLINK", *self.keys)
