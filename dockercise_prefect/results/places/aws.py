"""The user's AWS: clients with the credentials that results and logs are written with, and what goes wrong there, in words."""

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
"""For an answer. S3 may put gigabytes together before it gives one; who sends lines has more of them by then."""

ATTEMPTS = 4
"""Tries of one request, the first included; what is asked for in the background is tried again later."""

ROLE_SESSION = "dockercise"
"""What the other account's log calls us."""

CREDENTIALS_HINT = "`aws sts get-caller-identity` shows who you are; AWS_PROFILE chooses a profile"

RIGHTS_HINT = (
    "give the credentials these rights: s3:PutObject, s3:GetObject, s3:AbortMultipartUpload and s3:ListBucket for results, "
    "logs:CreateLogGroup, logs:CreateLogStream and logs:PutLogEvents for logs"
)

_HINTS = {
    "NoSuchBucket": "create the bucket, or choose another one with `--results`",
    "AccessDenied": RIGHTS_HINT,
    "AccessDeniedException": RIGHTS_HINT,
    "403": RIGHTS_HINT,
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
"""What to do, by the code of the service's answer."""


def aws_client(service: str, settings: Settings) -> Any:
    """A client of a service of AWS, or of what speaks its protocol; to be used by any number of threads.

    Args:
        service: `s3`, `logs`.
        settings: name the role that is assumed, and the address of what speaks S3.

    Raises:
        RefusedError: there is no region, no such profile, or nothing to ask for the role with.
    """
    own = settings.s3_endpoint if service == "s3" else None
    config = Config(
        **_patience(service),
        max_pool_connections=16,
        # Links are signed in the way of old where boto3 may choose, which buckets with KMS and newer regions refuse.
        **({"signature_version": "s3v4"} if service == "s3" else {}),
        # Storages of others know neither names of buckets as names of hosts nor the newest checksums.
        **({"s3": {"addressing_style": "path"}} if own else {}),
        **({"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"} if own else {}),
    )
    with aws_errors(f"cannot use {service} of AWS"):
        return boto3.Session(botocore_session=_session(settings.aws_role)).client(service, endpoint_url=own, config=config)


@contextmanager
def aws_errors(what: str) -> Iterator[None]:
    """Whatever boto3 raises inside becomes a `StorageError`; a `RefusedError` where trying again is of no use.

    Args:
        what: what could not be done, as the message begins: `cannot write s3://bucket/key`.
    """
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise RefusedError(f"{what}: there are no AWS credentials", "set AWS_PROFILE, or run `aws configure`") from error
    except NoRegionError as error:
        raise RefusedError(f"{what}: no region is set", "set AWS_DEFAULT_REGION") from error
    except ParamValidationError as error:  # many lines, the first of which says nothing
        raise RefusedError(f"{what}: {' '.join(str(error).split())}", "look at the settings for AWS and S3") from error
    except (SSOError, TokenRetrievalError) as error:
        raise RefusedError(f"{what}: {_first_line(error)}", "log in again: `aws sso login`") from error
    except ProfileNotFound as error:
        raise RefusedError(f"{what}: {error}", "`aws configure list-profiles` lists them") from error
    except ClientError as error:
        raise _answered(what, error) from error
    except SSLError as error:
        hint = "does it use https? To trust its certificate, set AWS_CA_BUNDLE"
        raise StorageError(f"{what}: no secure connection to {_address(error)}", hint) from error
    except (NoConnectionError, HTTPClientError) as error:
        raise StorageError(f"{what}: {_no_answer(error)}", "check the network and the address") from error
    except (BotoCoreError, Boto3Error) as error:
        raise StorageError(f"{what}: {_first_line(error)}") from error


def _patience(service: str) -> Mapping[str, Any]:
    """What botocore's `Config` takes for how long, and how often, a service is asked."""
    return {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS[service],
        "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
    }


def _session(role: str | None) -> Session:
    if role is None:
        return get_session()
    session = get_session()
    session.get_component("credential_provider").insert_before("env", _Role(role))
    return session


class _Role(CredentialProvider):  # type: ignore[misc]  # has no types
    """Credentials of a role, asked for when they are needed and again before they end, with the user's own."""

    METHOD = "dockercise-role"

    def __init__(self, arn: str) -> None:
        super().__init__()
        self._arn = arn

    def load(self) -> DeferredRefreshableCredentials:
        """See botocore's `CredentialProvider`.

        Raises:
            NoCredentialsError: there are none to ask with.
        """
        user = get_session()
        own = user.get_credentials()
        if own is None:
            raise NoCredentialsError
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(user.create_client, config=Config(**_patience("sts"))),
            source_credentials=own,
            role_arn=self._arn,
            extra_args={"RoleSessionName": ROLE_SESSION},
        )
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=fetcher.fetch_credentials)


def _answered(what: str, error: ClientError) -> StorageError:
    answer = error.response
    code = str(answer.get("Error", {}).get("Code", "")) or "no code"
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = f"{what}: {code}"
    said = str(answer.get("Error", {}).get("Message", "")).strip()
    if said and said != code:
        text += f": {said.splitlines()[0]}"
    will_not = 300 <= status < 500 and status not in {408, 429} and code not in _PASSING  # noqa: PLR2004  classes of HTTP
    return (RefusedError if will_not else StorageError)(text, _HINTS.get(code))


_PASSING = {
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "RequestTimeTooSkewed",
    "OperationAborted",
    "OperationAbortedException",
}
"""Answers of the class of refusals that another try may change."""


def _no_answer(error: Exception) -> str:
    """What is said of a connection that failed: botocore names the whole address, which is long and may be signed."""
    address = _address(error)
    return f"no answer from {address}" if address else type(error).__name__


def _address(error: Exception) -> str:
    url = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url") or ""))
    return f"{url.scheme}://{url.netloc}" if url.netloc else ""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
