"""What values may look like: strict patterns with their words, for everything a shell will read.

Values end in files that root's shell sources, or in command lines that amiconfig puts together
without quotes. So a shape allows what is known to be meant, never all but what is known to hurt.
"""

from __future__ import annotations

from dataclasses import dataclass

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL}){{0,20}}"
_PORT = r"(:[0-9]{1,5})?"
_LOGIN = r"([A-Za-z0-9._-]{1,64}(:[A-Za-z0-9._-]{1,64})?@)?"
_PROXY = rf"https?://{_LOGIN}{_HOST}{_PORT}"
_PATH = r"/[A-Za-z0-9._/@+-]*"
_URL = rf"https?://{_HOST}{_PORT}(/[A-Za-z0-9._/@+:=%-]*)?"
_KEYKIND = r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com)"


@dataclass(frozen=True, slots=True)
class Shape:
    """A pattern that the whole value has to match, the same in words, and a value that does."""

    pattern: str
    form: str
    example: str


HOST = Shape(_HOST, "a host name or IPv4 address (RFC 1123)", "head.example.org")
SERVER = Shape(_HOST + _PORT, "a host name, with :port if need be", "stratum1.example.org:8000")
URL = Shape(_URL, "an http:// or https:// address without blanks and ?", "https://example.org/x")
PROXY = Shape(
    rf"{_PROXY}(\|{_PROXY}){{0,15}}",
    "http://host:port, with | between proxies that share the load",
    "http://squid.example.org:3128",
)
PROXIES = Shape(
    r"[A-Za-z0-9:/._|;@-]+",
    "proxies as CernVM-FS has them: | shares the load, ; is the next to try",
    "http://squid.example.org:3128;DIRECT",
)
REPOSITORY = Shape(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "a repository such as sft or sft.cern.ch", "sft.cern.ch"
)
NAME = Shape(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "letters, digits, dots, dashes, underscores", "na61"
)
TAG = Shape(
    r"[A-Za-z0-9._/-]+", "letters, digits, dots, slashes, dashes, underscores", "cernvm-4.7.5.0"
)
PATH = Shape(_PATH, "a path from / on, without blanks", "/var/spool/scratch")
USER = Shape(
    r"[a-z_][a-z0-9_-]{0,30}", "a login name: lower-case letters, digits, - and _", "worker"
)
HASH = Shape(
    r"\$6\$(rounds=[0-9]{1,9}\$)?[A-Za-z0-9./]{1,16}\$[A-Za-z0-9./]{86}",
    "the hash of a password as `openssl passwd -6` prints it, never the password",
    "$6$saltsalt$" + "A" * 86,
)
SSH_KEY = Shape(
    rf"{_KEYKIND} [A-Za-z0-9+/]{{40,4000}}={{0,3}}( [A-Za-z0-9._@+:/-]{{1,200}})?",
    "a public key as it stands in id_ed25519.pub",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8zCw8ZtWZ1nFhQ0GJr0hW0sQ1VZyXq3bJv0m6uW6l0 me@here",
)
SECRET = Shape(
    r"[A-Za-z0-9._+/=@%-]{1,200}",
    "letters, digits and . _ + / = @ % - alone (a shell reads it)",
    "change-me-soon",
)
BASE64 = Shape(r"[A-Za-z0-9+/]{4,}={0,2}", "base64 in one line", "LS0tLS1CRUdJTg==")
COMMAND = Shape(
    r"/[A-Za-z0-9._/+-]{1,200}( [A-Za-z0-9._/:=,@%+-]{1,200}){0,30}",
    "a path from / on and plain arguments, without signs that a shell reads",
    "/usr/local/bin/start-analysis --quiet",
)
OPTIONS = Shape(
    r"--?[A-Za-z][A-Za-z0-9._/:=,@%+-]{0,200}( --?[A-Za-z][A-Za-z0-9._/:=,@%+-]{0,200}){0,20}",
    "options such as --waitforcert=500, one blank between them",
    "--waitforcert=500",
)
WORDS = Shape(
    r"[A-Za-z0-9._:,@+-]{1,80}", "letters, digits and . _ : , @ + - without blanks", "na61-pool"
)
PEM = Shape(
    r"(-----BEGIN [A-Z0-9 ]{1,40}-----\n([A-Za-z0-9+/=]{1,76}\n){1,200}"
    r"-----END [A-Z0-9 ]{1,40}-----\n?){1,8}",
    "PEM: lines from -----BEGIN ...----- to -----END ...-----",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----\n",
)
IP = Shape(
    r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}",
    "an IPv4 or IPv6 address",
    "192.0.2.53",
)
