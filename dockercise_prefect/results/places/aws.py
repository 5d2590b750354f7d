"""Access to the user's AWS: clients with the credentials for results and logs, and readable error messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import boto3  # type: ignore[import-untyped]  # has no types
from boto3.exceptions import Boto3Error  # type: ignore[import-untyped]  # has no types
from botocore.config import Config  # type: ignore[import-untyped]  # has no types
from botocore.credentials import (  # type: ignore[import-untyped]  # has no types
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import (  # type: ignore[import-untyped]  # has no types
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)
from botocore.session import Session, get_session  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.places.objects import RefusedError
from dockercise_prefect.settings import Settings

CONNECT_SECONDS = 5
READ_SECONDS = {"s3": 60, "logs": 10, "sts": 10}
"""How many seconds to wait for an answer. S3 may have to combine gigabytes first; log lines must not wait that long."""

ATTEMPTS = 4
"""The number of tries of one request, including the first. Background work is tried again later."""

ROLE_SESSION = "dockercise"
"""The name of dockercise in the log of the other account."""

CREDENTIALS_HINT = "`aws sts get-caller-identity` shows who you are; AWS_PROFILE chooses a profile"

RIGHTS_HINT = (
    "give the credentials these rights: s3:PutObject, s3:GetObject, s3:AbortMultipartUpload and s3:ListBucket for results, "
    "logs:CreateLogGroup, logs:CreateLogStream and logs:PutLogEvents for logs"
)

ROLE_HINT = "check the role and the external id; the role must trust your user or role, and you need the right sts:AssumeRole"

_HINTS = {
    "NoSuchBucket": "create the bucket, or choose another one with `--results`",
    "InvalidAccessKeyId": CREDENTIALS_HINT,
    "SignatureDoesNotMatch": CREDENTIALS_HINT,
    "UnrecognizedClientException": CREDENTIALS_HINT,
    "InvalidClientTokenId": CREDENTIALS_HINT,
    "ExpiredToken": "log in again, or use credentials that last as long as a run",
    "ExpiredTokenException": "log in again, or use credentials that last as long as a run",
    "KMS.NotFoundException": "the setting `s3_kms_key` names an unknown key",
    "KMS.DisabledException": "enable the key that the setting `s3_kms_key` names",
    "PermanentRedirect": "the bucket is in another region: set AWS_DEFAULT_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set AWS_DEFAULT_REGION",
}
"""What to do, by the error code of the service."""

_WITHOUT_RIGHT = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
"""Error codes of services for a missing right."""


def aws_client(service: str, settings: Settings, session: Any = None) -> Any:
    """A client for a service of AWS, or for a compatible service. Any number of threads may use it.

    Args:
        service: `s3`, `logs`.
        settings: have the role to assume, and the address of the service that is compatible with S3.
        session: boto3's session whose credentials and region are used; None for those that the settings choose.

    Raises:
        RefusedError: the region is missing, the profile does not exist, or there are no credentials to assume the role with.
    """
    own = settings.s3_endpoint if service == "s3" else None
    config = Config(
        **_patience(service),
        max_pool_connections=16,
        # By default, boto3 may sign links with the old version, which buckets with KMS and newer regions refuse.
        **({"signature_version": "s3v4"} if service == "s3" else {}),
        # Other storage services support neither bucket names as host names nor the newest checksums.
        **({"s3": {"addressing_style": "path"}} if own else {}),
        **({"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"} if own else {}),
    )
    with aws_errors(f"cannot use {service} of AWS"):
        chosen = boto3.Session(botocore_session=_session(settings)) if session is None else session
        return chosen.client(service, endpoint_url=own, config=config)


def with_role(user: Session, arn: str, external_id: str | None = None) -> Session:
    """A session with the credentials of a role, which are requested when they are needed, and again before they expire.

    Args:
        user: the session whose credentials may assume the role.
        arn: the role.
        external_id: the id that the role asks for, if it is the role of another account.
    """
    profile = user.get_config_variable("profile")
    session = Session(profile=profile)
    session.register_component("credential_provider", CredentialResolver([_Role(user, arn, external_id)]))
    return session


@contextmanager
def aws_errors(what: str, rights: str = RIGHTS_HINT) -> Iterator[None]:
    """Turn every exception of boto3 inside into a `StorageError`; into a `RefusedError` if another try does not help.

    Args:
        what: what failed, as the beginning of the message: `cannot write s3://bucket/key`.
        rights: the hint for credentials without the needed rights.
    """
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise RefusedError(f"{what}: there are no AWS credentials", "set AWS_PROFILE, or run `aws configure`") from error
    except NoRegionError as error:
        raise RefusedError(f"{what}: no region is set", "set AWS_DEFAULT_REGION") from error
    except ParamValidationError as error:  # the message has many lines, and the first one says nothing
        raise RefusedError(f"{what}: {' '.join(str(error).split())}", "check the settings for AWS and S3") from error
    except (SSOError, TokenRetrievalError) as error:
        raise RefusedError(f"{what}: {_first_line(error)}", "log in again: `aws sso login`") from error
    except ProfileNotFound as error:
        raise RefusedError(f"{what}: {error}", "`aws configure list-profiles` lists them") from error
    except ClientError as error:
        raise _answered(what, error, rights) from error
    except SSLError as error:
        hint = "does it use https? To trust its certificate, set AWS_CA_BUNDLE"
        raise StorageError(f"{what}: no secure connection to {_address(error)}", hint) from error
    except (NoConnectionError, HTTPClientError) as error:
        raise StorageError(f"{what}: {_no_answer(error)}", "check the network and the address") from error
    except (BotoCoreError, Boto3Error) as error:
        raise StorageError(f"{what}: {_first_line(error)}") from error


def _patience(service: str) -> Mapping[str, Any]:
    """The arguments of botocore's `Config` for timeouts and the number of tries of a service."""
    return {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS[service],
        "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
    }


def _session(settings: Settings) -> Session:
    user = get_session()
    return user if settings.aws_role is None else with_role(user, settings.aws_role, settings.aws_external_id)


class _Role(CredentialProvider):  # type: ignore[misc]  # has no types
    """The credentials of a role. The user's own credentials request them when they are needed, and again before they expire."""

    METHOD = "dockercise-role"

    def __init__(self, user: Session, arn: str, external_id: str | None) -> None:
        super().__init__()
        self._user = user
        self._arn = arn
        self._asked = {"RoleSessionName": ROLE_SESSION} | ({"ExternalId": external_id} if external_id else {})

    def load(self) -> DeferredRefreshableCredentials:
        """See botocore's `CredentialProvider`.

        Raises:
            NoCredentialsError: there are no credentials to request the role with.
        """
        own = self._user.get_credentials()
        if own is None:
            raise NoCredentialsError
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(self._user.create_client, config=Config(**_patience("sts"))),
            source_credentials=own,
            role_arn=self._arn,
            extra_args=self._asked,
        )
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=fetcher.fetch_credentials)


def _answered(what: str, error: ClientError, rights: str) -> StorageError:
    answer = error.response
    code = str(answer.get("Error", {}).get("Code", "")) or "no code"
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = f"{what}: {code}"
    said = str(answer.get("Error", {}).get("Message", "")).strip()
    if said and said != code:
        text += f": {said.splitlines()[0]}"
    will_not = 300 <= status < 500 and status not in {408, 429} and code not in _PASSING  # noqa: PLR2004  classes of HTTP
    without = ROLE_HINT if error.operation_name == "AssumeRole" else rights
    hint = without if code in _WITHOUT_RIGHT else _HINTS.get(code)
    return (RefusedError if will_not else StorageError)(text, hint)


_PASSING = {
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "RequestTimeTooSkewed",
    "OperationAborted",
    "OperationAbortedException",
}
"""Answers that look like refusals by their status, but for which another try may succeed."""


def _no_answer(error: Exception) -> str:
    """The message about a failed connection. botocore's message has the full address, which is long and may be signed."""
    address = _address(error)
    return f"no answer from {address}" if address else type(error).__name__


def _address(error: Exception) -> str:
    url = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url") or ""))
    return f"{url.scheme}://{url.netloc}" if url.netloc else ""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
