"""`aws up`: makes a stack, or brings it up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from dockercise_prefect.aws.account import Account
from dockercise_prefect.aws.cost import ALARMS, Cost, prices
from dockercise_prefect.aws.kept_awake import kept_awake
from dockercise_prefect.aws.names import COST_TAG, StackNames
from dockercise_prefect.aws.operating.changing import Change, ChangeSet, StackChanges
from dockercise_prefect.aws.operating.deployed import Deployed, find_stack
from dockercise_prefect.aws.operating.instance import HostState, StackInstance
from dockercise_prefect.aws.operating.machine import KeptVolume, architecture, kept_volumes, newest_image, zone_for
from dockercise_prefect.aws.operating.package import Package, Wheel
from dockercise_prefect.aws.operating.readiness import Clock, Readiness
from dockercise_prefect.aws.operating.template_parameters import template_parameters, value_after, values_for
from dockercise_prefect.aws.parameters import StackParameters
from dockercise_prefect.aws.report import Phase, Report
from dockercise_prefect.aws.role.template import Rules
from dockercise_prefect.errors import StorageError, UsageError

Tell = Callable[[str], None]


class NoHostError(StorageError):
    """A stack has no host at this moment."""

    def __init__(self, stack: Deployed) -> None:
        super().__init__(f"the stack {stack.name} is {stack.status}, and has no host now", "try again when this has ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a user wants of a stack.

    Attributes:
        values: the parameters of the template that were given, by name.
        package: what the host installs.
        with_new_image: whether to take the newest image of Debian for a stack that has one already.
    """

    values: Mapping[str, str]
    package: Package
    with_new_image: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `aws up` will do to a stack.

    Attributes:
        existing: the stack as it is; None if there is none.
        remains: what a failed create has left, and has to be deleted first.
        given: the values of parameters that are given, or were found out.
        parameters: the values of all parameters for CloudFormation.
        volume: the volume of an earlier stack that the new one uses.
        cost: what the stack will cost; None if the prices of the region are not known.
    """

    names: StackNames
    existing: Deployed | None
    remains: Deployed | None
    template: str
    given: Mapping[str, str]
    parameters: Mapping[str, str | None]
    package: Package
    volume: KeptVolume | None
    cost: Cost | None
    instance_type: str
    idle_minutes: str
    has_own_prefect: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """A stack that is up.

    Attributes:
        changed: whether anything was changed.
    """

    stack: Deployed
    changed: bool


@dataclass(frozen=True, slots=True)
class Stacks:
    """What the steps of `aws up` work with.

    Attributes:
        template: returns the text of the template.
        changes: changes the stack.
        rules: what the role asks for that we work with; None if it asks for nothing, or if there is none.
        clock: time for waiting.
    """

    account: Account
    names: StackNames
    template: Callable[[], str]
    changes: StackChanges
    rules: Rules | None = None
    clock: Clock = field(default_factory=Clock)

    def parameters(self) -> StackParameters:
        """The parameters of the stack in SSM."""
        return StackParameters(self.account.client("ssm"), self.names)

    def instance(self, stack: Deployed) -> StackInstance:
        """The host of the stack.

        Raises:
            NoHostError: the stack is not made yet, or is being deleted.
        """
        if not stack.output("HostId"):
            raise NoHostError(stack)
        return StackInstance(self.account.client("ec2"), stack.output("HostId"))


def plan(stacks: Stacks, wish: Wish, tell: Tell) -> Plan:
    """Find out what there is and what has to be done. Nothing is changed.

    Args:
        tell: called with a line before something that takes long.

    Raises:
        UsageError: a value is wrong, or the stack cannot be changed now.
        StorageError: AWS does not answer, or refuses.
    """
    existing = _settled(stacks, tell)
    remains = existing if existing is not None and existing.was_never_made else None
    existing = None if remains else existing
    template = stacks.template()
    known = template_parameters(template)
    values_for(known, wish.values, existing)  # report wrong names before AWS is asked for more
    package = wish.package.place if isinstance(wish.package, Wheel) else wish.package
    bound = {"RoleBoundary": stacks.rules.boundary} if stacks.rules else {}
    given = {**bound, **wish.values, "Package": package}
    volume = None
    if existing is None:
        volume, found = _new_machine(stacks, known, given)
        given = found | given
    elif image := _other_image(stacks, wish, existing):
        given = {"ImageId": image} | given

    def after(name: str) -> str:
        return value_after(name, known, given, existing)

    return Plan(
        names=stacks.names,
        existing=existing,
        remains=remains,
        template=template,
        given=given,
        parameters=values_for(known, {name: value for name, value in given.items() if name in known}, existing),
        package=wish.package,
        volume=volume,
        cost=_cost(stacks.account.region, after),
        instance_type=after("InstanceType"),
        idle_minutes=after("IdleMinutes"),
        has_own_prefect=not after("PrefectApiUrl"),
    )


def expected_changes(stacks: Stacks, planned: Plan) -> tuple[Change, ...]:
    """What would change in the resources of a stack that exists. Nothing is changed."""
    if planned.existing is None:
        return ()
    proposed = _propose(stacks, planned)
    if proposed is None:
        return ()
    stacks.changes.withdraw(proposed, planned.existing)
    return proposed.changes


def carry_out(
    stacks: Stacks, planned: Plan, login: Mapping[str, str], agree: Callable[[tuple[Change, ...]], None], tell: Tell
) -> Outcome:
    """Make or change the stack, put the package into its bucket, and wait until the host works with it.

    Args:
        login: the variables with the login of the user's own Prefect; empty for none.
        agree: called before anything is changed, with the changes of a stack that exists. If it raises, nothing is changed.
        tell: called with a line for each step.

    Raises:
        StackError: CloudFormation failed. A new stack is gone then, and another one is as it was.
        HostFailedError: the host failed.
    """
    before = stacks.parameters().report() if planned.existing else None
    stack, changed = _changed(stacks, planned, agree, tell)
    uploaded = _upload(stacks.account, planned.package, stack, tell)
    saved = _save_login(stacks, planned, login, tell)
    installed = _install(stacks, planned, stack, before, tell)
    return Outcome(stack, changed=changed or uploaded or saved or installed)


def _changed(stacks: Stacks, planned: Plan, agree: Callable[[tuple[Change, ...]], None], tell: Tell) -> tuple[Deployed, bool]:
    """The stack after its change, and whether it was changed."""
    existing = planned.existing
    if existing is None:
        agree(())
        if planned.remains is not None:
            stacks.changes.delete_remains(planned.remains.id)  # it has no resources, but its name is taken
    proposed = _propose(stacks, planned)
    if proposed is None:
        if existing is None:
            raise UsageError(f"the template of the stack {stacks.names.stack} is empty", "install dockercise again")
        return existing, False
    if existing is not None:
        try:
            agree(proposed.changes)
        except BaseException:  # Ctrl-C at the question too
            stacks.changes.withdraw(proposed, existing)
            raise
        # The host must find the package as soon as the stack names it.
        _upload(stacks.account, planned.package, existing, tell)
    return stacks.changes.apply(proposed, existing), True


def _propose(stacks: Stacks, planned: Plan) -> ChangeSet | None:
    tags = {COST_TAG: stacks.names.stack}
    return stacks.changes.propose(planned.template, planned.parameters, tags, planned.existing)


@contextmanager
def woken(stacks: Stacks, stack: Deployed, tell: Tell) -> Iterator[None]:
    """Inside, the host is awake or is being started. Afterwards it may sleep again when it has nothing to do."""
    instance = stacks.instance(stack)
    with kept_awake(stacks.parameters(), tell, stacks.clock.now):
        if not instance.look().is_awake:
            tell("the host is starting" if instance.start() else "the host cannot start yet; it is tried again every 5 minutes")
        yield


def readiness(stacks: Stacks, stack: Deployed, tell: Tell) -> Readiness:
    """Waits for the host of a stack."""
    return Readiness(stacks.instance(stack), stacks.parameters(), tell, stacks.clock)


def _settled(stacks: Stacks, tell: Tell) -> Deployed | None:
    """The stack, after a change that somebody else has begun has ended."""
    client = stacks.account.client("cloudformation")
    found = find_stack(client, stacks.names.stack)
    if found is not None and found.is_changing:
        tell(f"the stack {found.name} is {found.status}: waiting until this has ended")
        stacks.changes.wait(found)
        found = find_stack(client, stacks.names.stack)
    if found is not None and found.is_stuck:
        hint = "`aws cloudformation continue-update-rollback` or `dockercise aws down` may help"
        raise UsageError(f"the stack {found.name} is {found.status}, so it cannot be changed: {found.reason}", hint)
    return found


def _new_machine(
    stacks: Stacks, known: Mapping[str, str | None], given: Mapping[str, str]
) -> tuple[KeptVolume | None, dict[str, str]]:
    """A volume that is used again, and the values of the parameters that a new stack needs and the user did not give."""
    ec2 = stacks.account.client("ec2")
    instance_type = value_after("InstanceType", known, given, None)
    processor = architecture(ec2, instance_type)
    found: dict[str, str] = {}
    volume = None
    if "VolumeId" in known and "VolumeId" not in given and "Zone" not in given:
        volume = next(iter(kept_volumes(ec2, stacks.names.stack)), None)
    if volume is not None:
        found |= {"VolumeId": volume.id, "Zone": volume.zone}
    elif "Zone" in known and "Zone" not in given:
        found["Zone"] = zone_for(ec2, instance_type)
    if "ImageId" in known and "ImageId" not in given:
        found["ImageId"] = newest_image(stacks.account.client("ssm"), processor)
    return volume, found


def _other_image(stacks: Stacks, wish: Wish, existing: Deployed) -> str | None:
    """The image for a stack that exists, if it has to change: it is pinned, since another image makes a new instance."""
    if "ImageId" not in existing.parameters or "ImageId" in wish.values:
        return None
    ec2, before = stacks.account.client("ec2"), existing.parameters.get("InstanceType", "")
    wanted = wish.values.get("InstanceType", before)
    processor = architecture(ec2, wanted) if wish.with_new_image or wanted != before else None
    if processor is None or not (wish.with_new_image or processor != architecture(ec2, before)):
        return None
    return newest_image(stacks.account.client("ssm"), processor)


def _cost(region: str, after: Callable[[str], str]) -> Cost | None:
    found = prices(region)
    disks = sum(int(after(name)) for name in ("RootGiB", "DiskGiB") if after(name).isdecimal())
    return found.cost(after("InstanceType"), disks, alarms=ALARMS if after("Email") else 0) if found else None


def _upload(account: Account, package: Package, stack: Deployed, tell: Tell) -> bool:
    bucket = stack.output("ResultsBucket")
    if not isinstance(package, Wheel) or not package.upload(account.client("s3"), bucket):
        return False
    tell(f"the package {package.wheel.name} and its lock are in the bucket {bucket}")
    return True


def _save_login(stacks: Stacks, planned: Plan, login: Mapping[str, str], tell: Tell) -> bool:
    parameters = stacks.parameters()
    before = parameters.prefect()
    if planned.has_own_prefect and before:
        parameters.remove_prefect()
        tell("the login of your own Prefect is removed from the stack")
        return True
    if planned.has_own_prefect or not login or login == before:
        return False
    parameters.save_prefect(login)
    tell(f"the login of your Prefect is in the stack's parameter {stacks.names.parameter('prefect')}")
    return True


def _install(stacks: Stacks, planned: Plan, stack: Deployed, before: Report | None, tell: Tell) -> bool:
    """See that the host works with the package that the stack names. Returns whether there was something to do.

    Args:
        before: what the host has said before the stack was changed. Its own clock says which reports are newer.
    """
    package = planned.given["Package"]
    is_other_host = planned.existing is None or planned.existing.output("HostId") != stack.output("HostId")
    if not is_other_host and before is not None:
        if before.phase is not Phase.FAILED and before.package == package:
            return False
        if stacks.instance(stack).look().is_awake:
            if before.phase is not Phase.FAILED:
                tell("the host is awake: it installs the other package when it starts next")
                return True
            tell("the host has failed: it is started again")
            _stop(stacks, stack)
    with woken(stacks, stack, tell):
        readiness(stacks, stack, tell).wait_for_package(package, before.at + 1 if before else 0)
    tell("the host is ready")
    return True


def _stop(stacks: Stacks, stack: Deployed) -> None:
    """Stop the host, and wait until it can be started again."""
    instance = stacks.instance(stack)
    instance.stop()
    while instance.look().state is HostState.STOPPING:
        stacks.clock.pause()
