"""Reads the service's parameters from its environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class ConfigError(ValueError):
    """A parameter has a value that makes no sense."""


@dataclass(frozen=True)
class Config:
    """The parameters; their names, defaults and units are the container's interface."""

    host: str = "0.0.0.0"
    port: int = 8080
    greeting: str = "Hello"
    shutdown_grace: float = 10.0  # seconds

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Config":
        """Checks every parameter; an empty one counts as not set."""
        return cls(
            host=env.get("HOST") or cls.host,
            port=_port("PORT", env.get("PORT") or str(cls.port)),
            greeting=env.get("GREETING") or cls.greeting,
            shutdown_grace=_duration("SHUTDOWN_GRACE", env.get("SHUTDOWN_GRACE") or "10s"),
        )


def _port(name: str, text: str) -> int:
    if re.fullmatch(r"[0-9]{1,5}", text) and int(text) <= 65535:
        return int(text)
    raise ConfigError(f"{name} must be a port from 0 to 65535, not {text!r}")


def _duration(name: str, text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h)", text)
    if match:
        return int(match[1]) * _SECONDS[match[2]]
    raise ConfigError(f"{name} must be a duration such as 500ms, 10s or 1m, not {text!r}")
