"""LDAP: users and groups of the site's directory, by ldap.conf or sssd."""

from __future__ import annotations

from contexts.asking import block, line
from contexts.files import file
from contexts.made import Section
from contexts.part import Machine, Pieces
from contexts.reading import text
from contexts.schema import Values
from contexts.shapes import HOST, PEM, Shape

_BASE = Shape(
    r"[A-Za-z]{1,10}=[A-Za-z0-9._-]{1,60}(,[A-Za-z]{1,10}=[A-Za-z0-9._-]{1,60}){0,10}",
    "a distinguished name without blanks",
    "dc=example,dc=org",
)
_URL = Shape(
    rf"ldaps?://{HOST.pattern}(:[0-9]{{1,5}})?/?",
    "ldap:// or ldaps:// and a host",
    "ldaps://ldap.example.org",
)
_CA = "/etc/sssd/context-ca.pem"


def _more(values: Values, machine: Machine) -> Pieces:
    base, url, authority = (text(values, key) for key in ("base", "url", "ca"))
    if not url:
        return Pieces()
    files = [file("/etc/sssd/sssd.conf", _sssd(url, base, bool(authority)), "0600")]
    files += [file(_CA, authority)] if authority else []
    start = "systemctl enable sssd && systemctl restart sssd"
    cloud = {
        "packages": ["sssd", "sssd-ldap"],
        "write_files": files,
        "runcmd": [["sh", "-c", f"command -v sssd >/dev/null && {start} || true"]],
    }
    bare = ("amildap: without ldaps:// passwords go over the network as they are",)
    return Pieces(cloud=cloud, warnings=() if url.startswith("ldaps:") else bare)


def _sssd(url: str, base: str, authority: bool) -> str:
    found = ["[sssd]", "services = nss, pam", "domains = context", "", "[domain/context]"]
    found += ["id_provider = ldap", "auth_provider = ldap", f"ldap_uri = {url}"]
    found += [f"ldap_search_base = {base}"] if base else []
    found += [f"ldap_tls_cacert = {_CA}"] if authority else []
    return "\n".join([*found, "ldap_tls_reqcert = demand", "cache_credentials = true", ""])


PART = Section(
    "amildap",
    "Users",
    "LDAP",
    "Takes users and groups from the site's directory.",
    (
        line("base", "Base", "Where in the directory they stand.", _BASE),
        line("url", "Server", "Its address.", _URL),
        block(
            "ca",
            "Authority",
            "Whom its certificate is signed by (for sssd).",
            PEM.example,
            shape=PEM,
            longest=16_000,
        ),
    ),
    "amildap",
    "amildap",
    keys={"ca": ""},
    more=_more,
    note="amiconfig writes /etc/ldap.conf on CernVM 3 and 4; elsewhere cloud-init sets up sssd.",
)
