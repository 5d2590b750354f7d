"""Actions that are known: those that set up a language become an image, and some become commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

WITHOUT_EFFECT = frozenset(
    {
        "actions/checkout",
        "actions/cache",
        "actions/cache/restore",
        "actions/cache/save",
        "Swatinem/rust-cache",
        "gradle/actions/setup-gradle",
        "gradle/wrapper-validation-action",
        "step-security/harden-runner",
    }
)
"""Actions without which the other steps do the same. Caches are still noted."""

CACHES = frozenset({"actions/cache", "actions/cache/restore", "actions/cache/save", "Swatinem/rust-cache"})


@dataclass(frozen=True, slots=True)
class Setup:
    """An image that has what an action sets up.

    Attributes:
        image: its name, with `{}` for the version.
        key: the input that has the version.
        default: the version if there is none that can be used.
    """

    image: str
    key: str
    default: str


SETUPS: Mapping[str, Setup] = {
    "actions/setup-python": Setup("python:{}", "python-version", "3.12"),
    "actions/setup-node": Setup("node:{}", "node-version", "22"),
    "actions/setup-go": Setup("golang:{}", "go-version", "1"),
    "actions/setup-java": Setup("eclipse-temurin:{}", "java-version", "21"),
    "actions/setup-dotnet": Setup("mcr.microsoft.com/dotnet/sdk:{}", "dotnet-version", "8.0"),
    "ruby/setup-ruby": Setup("ruby:{}", "ruby-version", "3"),
    "shivammathur/setup-php": Setup("php:{}-cli", "php-version", "8.3"),
    "erlef/setup-beam": Setup("elixir:{}", "elixir-version", "1"),
    "haskell-actions/setup": Setup("haskell:{}", "ghc-version", "9"),
    "haskell/actions/setup": Setup("haskell:{}", "ghc-version", "9"),
    "denoland/setup-deno": Setup("denoland/deno:{}", "-", "latest"),
    "oven-sh/setup-bun": Setup("oven/bun:{}", "bun-version", "1"),
    "julia-actions/setup-julia": Setup("julia:{}", "version", "1"),
    "r-lib/actions/setup-r": Setup("r-base:{}", "r-version", "latest"),
    "dart-lang/setup-dart": Setup("dart:{}", "sdk", "stable"),
    "dtolnay/rust-toolchain": Setup("rust:1", "-", ""),
    "actions-rs/toolchain": Setup("rust:1", "-", ""),
    "actions-rust-lang/setup-rust-toolchain": Setup("rust:1", "-", ""),
    "actions-rs/cargo": Setup("rust:1", "-", ""),
    "astral-sh/setup-uv": Setup("python:3.12", "-", ""),
}
"""Actions that set up a language."""

_VERSION = re.compile(r"\d+(?:\.\d+){0,2}\Z")


def version_tag(written: str, default: str) -> str:
    """The tag of an image for a version as actions understand it: `20.x`, `^1.21`, `lts/*`, `>=1.20`."""
    text = re.sub(r"^(?:\^|~|>=|v|=)\s*", "", written.strip()).removesuffix(".x").removesuffix(".*")
    return text if _VERSION.match(text) or text.startswith("$") else default


def _toolchain(ref: str, given: Mapping[str, str]) -> str:
    toolchain = given.get("toolchain") or (ref if re.fullmatch(r"stable|beta|nightly|\d+\.\d+(?:\.\d+)?", ref) else "")
    options = [f"--component {each}" for each in re.split(r"[\s,]+", given.get("components", "")) if each]
    targets = given.get("targets") or given.get("target") or ""
    options += [f"--target {each}" for each in re.split(r"[\s,]+", targets) if each]
    if toolchain in {"", "stable"} and not options:
        return ""
    chosen = toolchain or "stable"
    install = " ".join(["rustup toolchain install", chosen, "--profile minimal", *options])
    return f"{install}\nrustup default {chosen}"


def _cargo(_ref: str, given: Mapping[str, str]) -> str:
    toolchain = f"+{given['toolchain']}" if given.get("toolchain") else ""
    return " ".join(word for word in ("cargo", toolchain, given.get("command", ""), given.get("args", "")) if word)


def _uv(_ref: str, _given: Mapping[str, str]) -> str:
    return "pip install uv"


def _pnpm(_ref: str, given: Mapping[str, str]) -> str:
    return f"npm install --global pnpm{'@' + given['version'] if given.get('version') else ''}"


def _bundler(_ref: str, given: Mapping[str, str]) -> str:
    return "bundle install" if given.get("bundler-cache") == "true" else ""


def _tool(_ref: str, given: Mapping[str, str]) -> str:
    tools = [tool for tool in re.split(r"[\s,]+", given.get("tool", "")) if tool]
    return "\n".join(f"cargo install {tool}" for tool in tools)


COMMANDS: Mapping[str, Callable[[str, Mapping[str, str]], str]] = {
    "dtolnay/rust-toolchain": _toolchain,
    "actions-rs/toolchain": _toolchain,
    "actions-rust-lang/setup-rust-toolchain": _toolchain,
    "actions-rs/cargo": _cargo,
    "astral-sh/setup-uv": _uv,
    "pnpm/action-setup": _pnpm,
    "ruby/setup-ruby": _bundler,
    "taiki-e/install-action": _tool,
}
"""Actions that a few commands can replace, by the reference after the `@` and the inputs."""
