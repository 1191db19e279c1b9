"""Payloads that try to get out of their sandbox; each tells what it got, in JSON."""

from __future__ import annotations

HEAD = """
import ctypes, evp, json, os, signal, socket, subprocess, sys, time
env, got = os.environ, []
agent = int(env["AGENT"])
def tries(what, deed):
    try:
        found = deed()
    except OSError:
        return
    if found is not False:
        got.append(what)
"""
TAIL = """
ch = evp.Channel("prying")
for rng in ch.ranges():
    ch.events(rng.first, rng.last, [json.dumps(got).encode()] * (rng.last - rng.first))
"""
READS = (
    HEAD
    + """
state = env["STATE"]
for path in ("identity.json", "tasks/7/lease.json", "work/slot-1/out/0-1.txt", "helper/guard.py"):
    tries(path, lambda: open(os.path.join(state, path)).read(1) and None)
for path in ("", "tasks", "bundles"):
    tries(path + "/", lambda: bool(os.listdir(os.path.join(state, path))))
tries("home", lambda: bool(os.listdir(env["PRIVATE"])))
tries("shadow", lambda: open("/etc/shadow").read(1) and None)
tries("passwd", lambda: open("/etc/passwd").read(1) and None)
for name in ("environ", "cmdline", "maps", "fd", "cwd/", "root/"):
    path = "/proc/%d/%s" % (agent, name)
    look = os.listdir if name == "fd" or name.endswith("/") else lambda p: open(p).read(1)
    tries("/proc/" + name, lambda: look(path) and None)
tries("others", lambda: len([n for n in os.listdir("/proc") if n.isdigit()]) > 8)
if "SECRET" in env or "LAIR_SECRET" in env:
    got.append("environment")
"""
    + TAIL
)
WRITES = (
    HEAD
    + """
places = ["/", "/usr", "/usr/local", "/etc", "/dev", "/var/tmp", "/run", "/proc/sys/kernel", "/sys",
          "/windfall", "/windfall/python", "/home", "/opt", sys.prefix, env["STATE"], env["OPEN"]]
for place in places:
    path = os.path.join(place, "windfall-was-here")
    tries(place, lambda: open(path, "w").close())
    tries(place + "/", lambda: os.mkdir(path + "-dir"))
for path in ("/windfall/python/evp.py", os.path.join(env["STATE"], "helper/python/evp.py")):
    tries(path, lambda: open(path, "a").close())
tries("mount", lambda: ctypes.CDLL(None).mount(b"/tmp", b"/usr", None, 4096, None) == 0)
tries("root", lambda: os.setuid(0))
for name in ("/windfall/home/out", "/tmp", "/dev/shm", "."):  # what it may write to
    open(os.path.join(name, "mine"), "w").close()
    os.unlink(os.path.join(name, "mine"))
"""
    + TAIL
)
CALLS_OUT = (
    HEAD
    + """
def to(family, address):
    with socket.socket(family) as line:
        line.settimeout(5)
        line.connect(address)
        return line.recv(2) == b"hi"
tries("loopback", lambda: to(socket.AF_INET, ("127.0.0.1", int(env["PORT"]))))
tries("abstract", lambda: to(socket.AF_UNIX, "\\0" + env["NAME"]))
tries("path", lambda: to(socket.AF_UNIX, env["SOCKET"]))
tries("interfaces", lambda: len(socket.if_nameindex()) > 1)
"""
    + TAIL
)
SIGNALS = (
    HEAD
    + """
for number in range(0, 65, 8):
    tries("signal %d" % number, lambda: os.kill(agent, 0))
tries("guard", lambda: os.kill(int(env.get("GUARD", agent)), 0))
libc = ctypes.CDLL(None, use_errno=True)
tries("attach", lambda: libc.ptrace(16, agent, 0, 0) == 0 and libc.ptrace(17, agent, 0, 0) == 0)
tries("seize", lambda: libc.ptrace(0x4206, agent, 0, 0) == 0 and libc.ptrace(17, agent, 0, 0) == 0)
tries("memory", lambda: open("/proc/%d/mem" % agent, "rb").close())
tries("priority", lambda: os.setpriority(os.PRIO_PROCESS, agent, 5))
tries("limits", lambda: __import__("resource").prlimit(agent, 7) and None)
"""
    + TAIL
)
KILLS_ALL = """
import contextlib, evp, os, signal, subprocess, time
ch = evp.Channel("killer")
for rng in ch.ranges():
    line = "import os, signal, time; os.setsid(); signal.signal(15, 1); time.sleep(600)"
    for _ in range(3):
        subprocess.Popen([os.environ["PYTHON"], "-c", line, os.environ["MARK"]])
    time.sleep(0.3)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(PermissionError):
        os.kill(1, signal.SIGKILL)
    os.kill(-1, signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGKILL)
"""
FILLS = """
import evp, os, time
ch = evp.Channel("filler")
for rng in ch.ranges():
    try:
        with open(os.path.join(os.environ["PLACE"], "full"), "wb") as out:
            while True:
                out.write(bytes(1 << 20))
    except OSError:
        pass
    time.sleep(600)
"""
PRELOADED = """
import evp, os
ch = evp.Channel("preloaded")
for rng in ch.ranges():
    ch.events(rng.first, rng.last, [os.environ["LD_PRELOAD"].encode()] * (rng.last - rng.first))
"""
