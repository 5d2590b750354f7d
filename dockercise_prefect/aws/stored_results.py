"""The records of an account: of a stack, or of any bucket."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dockercise_prefect.aws.account import Access, Account
from dockercise_prefect.aws.names import DEFAULT_STACK, StackNames, results_place
from dockercise_prefect.aws.parameters import StackParameters
from dockercise_prefect.errors import UsageError
from dockercise_prefect.results.places.bucket import Bucket
from dockercise_prefect.results.places.place import parse_place
from dockercise_prefect.results.places.s3 import S3Objects
from dockercise_prefect.settings import Settings

NO_ACCOUNT = "000000000000"
"""The account of a service that is compatible with S3, which has no accounts of AWS."""


@dataclass(frozen=True, slots=True)
class StoredResults:
    """The records of an account.

    Attributes:
        account: the number of the account whose credentials read them, 12 digits.
        objects: their place.
    """

    account: str
    objects: S3Objects


def open_results(access: Access, settings: Settings, stack: str | None, place: str | None) -> StoredResults:
    """The records that a user means. Without a stack or a place: those of the setting `results`, if it is a bucket.

    Args:
        access: whose credentials are used.
        settings: have the place of results, and how other services than AWS are reached.
        stack: the name of the stack that has the bucket; None for the usual name.
        place: `s3://bucket/prefix`; None to ask the stack.

    Raises:
        UsageError: the place is not a bucket, the stack does not exist, or a value of `access` is wrong.
        StorageError: AWS does not answer, or refuses.
    """
    if place is not None and stack is not None:
        raise UsageError("--bucket and --name both choose the bucket", "use one of them")
    if place is None and stack is None and settings.results.startswith("s3://"):
        place = settings.results
    if place is None:
        account = Account(access)
        place = _place_of(account, StackNames(stack or DEFAULT_STACK))
    else:
        account = Account(replace(access, role=access.role or settings.aws_role))
    bucket = parse_place(place)
    if not isinstance(bucket, Bucket):
        raise UsageError(
            f"{place} is not a bucket", "write s3://bucket/prefix; for a folder, open index.html of a pipeline in it"
        )
    number = NO_ACCOUNT if settings.s3_endpoint else account.identity().account
    return StoredResults(number, S3Objects(bucket, settings, account.session))


def _place_of(account: Account, names: StackNames) -> str:
    host = StackParameters(account.client("ssm"), names).host()
    if host is None:
        raise UsageError(
            f"there is no stack {names.stack} in {account.region}",
            "choose it with `--name` and `--region`, or the bucket with `--bucket s3://bucket/prefix`",
        )
    return results_place(host.bucket)
