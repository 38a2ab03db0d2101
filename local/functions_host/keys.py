"""Access keys, asked for only where GEOFORGE_ENFORCE_KEYS=1, as on Azure."""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KEYS_FILE = "keys.json"


@dataclass(frozen=True, slots=True)
class Keys:
    """`master` opens everything, `default` functions, `system` the Durable webhooks."""

    master: str
    default: str
    system: str

    @classmethod
    def load_or_create(cls, state_dir: Path) -> Keys:
        """The keys in the state directory, made at the first start and readable by the owner."""
        path = state_dir / KEYS_FILE
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            keys = cls(*(secrets.token_urlsafe(32) for _ in range(3)))
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump({k: getattr(keys, k) for k in ("master", "default", "system")}, file)
            return keys


class AccessControl:
    """Decides whether a request may pass. Without keys, everyone may."""

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys

    @property
    def system_key(self) -> str | None:
        """The key that the links to the Durable webhooks carry, where keys are asked for."""
        return self._keys.system if self._keys else None

    def allows(self, level: str, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
        """Whether a request to something of this level (anonymous, function, system, admin)
        brings a key that opens it, as `x-functions-key` header or `code` parameter.
        """
        if self._keys is None or level == "anonymous":
            return True
        given = headers.get("x-functions-key") or query.get("code") or ""
        accepted = [self._keys.master]
        if level == "function":
            accepted.append(self._keys.default)
        if level == "system":
            accepted.append(self._keys.system)
        return any(hmac.compare_digest(given.encode(), key.encode()) for key in accepted)
