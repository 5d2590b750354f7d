"""Images on a Docker engine: found, or pulled with the user's credentials, and pinned to what they are now."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from docker import APIClient, auth
from docker.errors import DockerException, NotFound

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.docker.arguments import platform_matches
from dockercise_prefect.runtime.docker.errors import engine_errors
from dockercise_prefect.runtime.docker.marks import is_nameless, own_name
from dockercise_prefect.runtime.docker.pull import PullProgress
from dockercise_prefect.runtime.dockerfile.reference import Reference, parse_reference, registry_host
from dockercise_prefect.runtime.engine import Progress, ResolvedImage

Credentials: TypeAlias = Mapping[str, tuple[str, str]]
"""User name and password by registry. They take precedence over the user's Docker configuration."""


class DockerImages:
    """The images of one engine."""

    def __init__(self, client: APIClient, credentials: Credentials) -> None:
        self._client = client
        self._credentials = {registry_host(registry): pair for registry, pair in credentials.items()}

    def resolve(self, ref: str, pull: PullPolicy, platform: str | None, progress: Progress) -> ResolvedImage:
        """The image that `ref` means now, pulled as the policy says (LANGUAGE section 2).

        Raises:
            EngineError: there is no such image, it is for another platform, or it cannot be pulled.
        """
        reference = parse_reference(ref)
        image = self._inspect(ref)
        fits = image is not None and (platform is None or platform_matches(platform, image))
        if pull is PullPolicy.NEVER or reference.is_id:
            if image is None:
                raise EngineError(f"image {ref} is not on the engine", _hint_absent(reference))
            if not fits:
                raise EngineError(
                    f"image {ref} is for {_platform(image)}, not for {platform}", "pull the one for that platform"
                )
        elif pull is PullPolicy.ALWAYS or not fits:
            self._pull(ref, reference, platform, progress)
            image = self._inspect(ref)
        if image is None:
            raise EngineError(
                f"image {ref} was pulled, but the engine does not have it", "is another program removing images there?"
            )
        return resolved_image(ref, reference, image)

    def remove(self, image: str) -> None:
        """Remove the image, but no image that it was made from. If it has got another name meanwhile, remove only our name."""
        with engine_errors(f"cannot remove image {image}"), suppress(NotFound):
            found = self._client.inspect_image(image)  # type: ignore[no-untyped-call]  # its stub has no types
            if name := own_name(found):
                self._client.remove_image(name, noprune=True)
            elif is_nameless(found):
                self._client.remove_image(image, noprune=True)

    @property
    def has_credentials(self) -> bool:
        """Whether there are credentials besides the user's Docker configuration."""
        return bool(self._credentials)

    def all_credentials(self) -> dict[str, Any]:
        """The credentials for all registries, since only the engine knows which registries a build will ask.

        If a credential helper fails, it is ignored: most builds need no credentials. If a build does need them, the registry
        refuses the build.
        """
        try:
            found = auth.load_config(credstore_env=self._client.credstore_env).get_all_credentials()  # type: ignore[no-untyped-call]  # its stub has no types
        except DockerException:
            found = {}
        given = {
            auth.INDEX_URL if registry == auth.INDEX_NAME else registry: {"username": name, "password": password}
            for registry, (name, password) in self._credentials.items()
        }
        return {**found, **given}

    def _inspect(self, ref: str) -> dict[str, Any] | None:
        with engine_errors(f"cannot inspect image {ref}"):
            try:
                image: dict[str, Any] = self._client.inspect_image(ref)  # type: ignore[no-untyped-call]  # its stub has no types
            except NotFound:
                return None
            return image

    def _pull(self, ref: str, reference: Reference, platform: str | None, progress: Progress) -> None:
        progress(f"pulling {ref}")
        try:
            with engine_errors(f"cannot pull image {ref}"):
                self._follow(ref, reference, platform, progress)
        except EngineError as error:
            raise EngineError(error.message, error.hint or _hint_refused(reference)) from error

    def _follow(self, ref: str, reference: Reference, platform: str | None, progress: Progress) -> None:
        lines = PullProgress(ref)
        events = self._client.pull(
            reference.name,
            tag=reference.version,
            stream=True,
            decode=True,
            platform=platform,
            auth_config=self._authentication(reference.registry),
        )
        for event in events:
            if "error" in event:
                raise EngineError(f"cannot pull image {ref}: {event['error']}")
            if line := lines.line(event):
                progress(line)

    def _authentication(self, registry: str) -> dict[str, str] | None:
        """The caller's credentials for a registry. If None, the SDK uses the user's Docker configuration and its helpers."""
        if registry not in self._credentials:
            return None
        username, password = self._credentials[registry]
        return {"username": username, "password": password, "serveraddress": registry}


def resolved_image(ref: str, reference: Reference, image: Mapping[str, Any]) -> ResolvedImage:
    """An inspected image as a run uses it. Its digest is the one in the repository of `ref` if there is one, else its id."""
    config = image.get("Config") or {}
    digests = [digest for digest in image.get("RepoDigests") or [] if not reference.is_id and _same(reference, digest)]
    return ResolvedImage(
        ref=ref,
        id=image["Id"],
        digest=digests[0] if digests else image["Id"],
        user=config.get("User") or "",
        command=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        platform=_platform(image),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        health_check=_health_check(config),
    )


def _health_check(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The command of an image's health check; empty if it has none."""
    match (config.get("Healthcheck") or {}).get("Test"):
        case ["CMD", *command]:
            return tuple(command)
        case ["CMD-SHELL", script]:
            return (*(config.get("Shell") or ("/bin/sh", "-c")), script)
        case _:
            return ()


def _same(reference: Reference, digest: str) -> bool:
    return Reference(digest.partition("@")[0], "").repository == reference.repository


def _platform(image: Mapping[str, Any]) -> str:
    return "/".join(part for part in (image.get("Os"), image.get("Architecture"), image.get("Variant")) if part)


def _hint_absent(reference: Reference) -> str:
    if reference.is_id:
        return "only the engine that built an image knows its id: use its name"
    return "pull or build it there, or remove `pull: never`"


def _hint_refused(reference: Reference) -> str:
    return (
        f"check the name, and whether the engine can reach {reference.registry}; for a private image, log in with "
        "`docker login` or name a registry-credentials block; for an image that was built on the engine itself, write "
        "`pull: never`"
    )
