"""How an operator puts a file into the storage, for an update to read: by what the app has too."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from config import get_settings

_SETTING = "AZURE_STORAGE_CONNECTION_STRING"
_CONTAINER = "uploads"


@dataclass(frozen=True, slots=True)
class Upload:
    """Commands for a shell, and by whom they are to be run. The container may be there already.

    Who runs them has the app's connection string (in the variable of the setting's name), or else,
    where there is none since the app has an identity, logs in.
    """

    by_connection_string: bool
    container: str
    file_name: str
    commands: Sequence[str]


def upload(file_name: str) -> Upload:
    """How a file in the current directory comes into the storage that the app reads."""
    settings = get_settings()
    by_connection_string = settings.storage_connection_string is not None
    if by_connection_string:
        access = f'--connection-string "${_SETTING}"'
    else:
        host = urlsplit(settings.storage_account_url or "").hostname or ""
        access = f"--account-name {shlex.quote(host.partition('.')[0])} --auth-mode login"
    name = shlex.quote(file_name)
    commands = [
        f"az storage container create -n {_CONTAINER} {access}",
        f"az storage blob upload -c {_CONTAINER} -n {name} -f {name} {access}",
    ]
    return Upload(by_connection_string, _CONTAINER, file_name, commands)
