"""Small texts from places near by: a folder, or HTTP of the site or the cloud; never the server.

Short times and small sizes: what is slow or large is as good as absent. No proxy is asked, the
addresses are those of the machine's own site.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Optional

import urllib3

from vmagent.settings import is_url

TEXT_MOST = 65_536
TIMEOUT_S = 2.0


class Away(Exception):
    """Nothing answers there."""


class Fetch:
    """Gets and puts small texts; every method is one try."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._pool = urllib3.PoolManager(
            num_pools=4, retries=False, timeout=urllib3.Timeout(total=timeout_s)
        )

    def get(self, url: str, headers: Optional[Mapping[str, str]] = None) -> Optional[str]:
        """The text at an address; None if there is none (404), `Away` if nobody says."""
        return self._ask("GET", url, headers)

    def put(self, url: str, text: str = "", headers: Optional[Mapping[str, str]] = None) -> str:
        """Put a text; the answer. `Away` if it is not taken."""
        answer = self._ask("PUT", url, headers, text.encode())
        if answer is None:
            raise Away(f"{url}: nothing to put to")
        return answer

    def _ask(
        self,
        method: str,
        url: str,
        headers: Optional[Mapping[str, str]] = None,
        body: Optional[bytes] = None,
    ) -> Optional[str]:
        try:
            answer = self._pool.request(
                method, url, body=body, headers=headers, redirect=False, preload_content=False
            )
            try:
                raw = answer.read(TEXT_MOST)
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise Away(f"{url}: {type(error).__name__}") from error
        if answer.status in (404, 410):
            return None
        if not 200 <= answer.status < 300:
            raise Away(f"{url}: {answer.status}")
        return raw.decode("utf-8", "replace")


def read_key(fetch: Fetch, place: str, key: str) -> Optional[str]:
    """The value of a key in a folder or below an address; None without. Raises `Away`."""
    if is_url(place):
        return fetch.get(f"{place.rstrip('/')}/{key}")
    try:
        with open(Path(place) / key, "rb") as file:
            return file.read(TEXT_MOST).decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return None
    except OSError as error:
        raise Away(f"{place}/{key}: {error.strerror}") from error
