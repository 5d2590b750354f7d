"""Many deliveries at the same time: genuine, forged and repeated ones, while Prefect stops and starts."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from dockercise_prefect.webhook.receiver.hub import Registered
from tests.webhook.payloads import Sent, commit_number, github_push, github_sent
from tests.webhook.world import World, eventually

AT_ONCE = 50
REPOSITORIES = 10
ATTEMPTS = 200
STALLED = 300
"""After so many seconds without a new run, no further run is expected."""


@dataclass(frozen=True)
class Drop:
    """One delivery of the storm; `commit` is the commit that it must run, or None for a forged one."""

    sent: Sent
    commit: str | None


@dataclass(frozen=True)
class Storm:
    """Everything that is sent, in order, and the runs that it must start.

    Attributes:
        drops: the deliveries; a third are forged and a tenth are repeated.
        expected: commit to the deployment that runs it, for each genuine delivery.
    """

    drops: Sequence[Drop]
    expected: Mapping[str, str]


def brew(world: World, count: int) -> Storm:
    """Register repositories, each with its own secret, and make deliveries for them; always the same ones."""
    chance = random.Random(count)  # noqa: S311  a test that is the same every time
    secrets = {f"acme/service-{number}": f"secret of {number}" for number in range(REPOSITORIES)}
    registered = {repository: world.register(repository, secret) for repository, secret in secrets.items()}
    forged, repeated = count // 3, count // 10
    genuine = [_drop(world, number, registered, secrets, chance) for number in range(count - forged - repeated)]
    drops = [drop for drop, _ in genuine]
    drops += [Drop(chance.choice(genuine)[0].sent, "again") for _ in range(repeated)]
    drops += [_forged(number, chance, genuine) for number in range(forged)]
    chance.shuffle(drops)
    expected = {drop.commit: deployment for drop, deployment in genuine if drop.commit}
    return Storm(drops, expected)


def _drop(
    world: World, number: int, registered: Mapping[str, Registered], secrets: Mapping[str, str], chance: random.Random
) -> tuple[Drop, str]:
    repository = chance.choice(sorted(registered))
    before, commit = world.commit(repository, number)
    payload = github_push(repository, before=before, after=commit, branch=chance.choice(["main", "feature/one"]))
    sent = github_sent(payload, secret=secrets[repository], identity=f"storm-{number}", form=chance.random() < 0.5)
    return Drop(sent, commit), registered[repository].deployment_id


def _forged(number: int, chance: random.Random, genuine: Sequence[tuple[Drop, str]]) -> Drop:
    """In turn: unsigned, signed with another repository's secret, and a genuine signature of another body."""
    stolen = chance.choice(genuine)[0].sent
    payload = github_push(f"acme/service-{number % REPOSITORIES}", after=commit_number(90_000 + number))
    wrong = github_sent(payload, secret=f"secret of {(number + 1) % REPOSITORIES}", identity=f"forged-{number}")
    if number % 3 == 0:
        return Drop(wrong.without("x-hub-signature-256"), None)
    if number % 3 == 1:
        return Drop(wrong, None)
    return Drop(Sent(headers={**stolen.headers, "content-type": "application/json"}, body=wrong.body), None)


def rage(url: str, world: World, storm: Storm, thrice: Callable[[], None] = lambda: None) -> Counter[tuple[int, str]]:
    """Send everything, with the hub down for the middle third; returns how often each answer came.

    Args:
        url: the address of the receiver.
        world: the world whose hub is stopped.
        storm: the deliveries.
        thrice: called when a quarter, half and three quarters of them are sent.

    A delivery without an answer is sent again, as the owner of a repository would do.
    """
    with httpx.Client(base_url=url, timeout=120, trust_env=False, limits=httpx.Limits(max_connections=AT_ONCE)) as client:
        eventually(lambda: _known(client) == REPOSITORIES)
        count = len(storm.drops)
        moments = {count * quarter // 4: thrice for quarter in (1, 2, 3)}
        moments |= {count // 3: world.hang_up, 2 * count // 3: world.answer}
        sent = 0
        lock = threading.Lock()

        def send(drop: Drop) -> tuple[Drop, int, str]:
            nonlocal sent
            with lock:  # also while `thrice` runs, or the next call could come before it
                sent += 1
                moments.get(sent, lambda: None)()
            answer = _insist(client, drop.sent)
            return drop, answer.status_code, answer.json()["result"]

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(send, storm.drops))
    return Counter((status, result if drop.commit else f"forged: {result}") for drop, status, result in answers)


def assert_all_is_right(world: World, storm: Storm, answers: Counter[tuple[int, str]]) -> None:
    """Every genuine delivery has exactly one run of its deployment, every forged one was refused."""
    _wait_for_runs(world, len(storm.expected))
    runs: dict[str, list[str]] = defaultdict(list)
    for run in world.runs():
        runs[run.commit].append(run.deployment_id)

    assert runs == {commit: [deployment] for commit, deployment in storm.expected.items()}
    forged = sum(drop.commit is None for drop in storm.drops)
    assert answers[401, "forged: forged"] == forged
    assert sum(answers.values()) == len(storm.drops)
    assert set(answers) == {(401, "forged: forged"), (202, "queued"), (200, "repeated")}


def _wait_for_runs(world: World, expected: int) -> None:
    """Wait as long as new runs appear, however slowly."""
    before, until = -1, 0.0
    while (count := len(world.runs())) < expected:
        if count > before:
            before, until = count, time.monotonic() + STALLED
        assert time.monotonic() < until, f"{count} of {expected} runs, and no more came in {STALLED} s"
        time.sleep(0.5)  # each request delays the server's work


def _known(client: httpx.Client) -> int:
    try:
        known: int = client.get("/health").json()["registrations"]["count"]
    except httpx.TransportError:
        return 0
    return known


def _insist(client: httpx.Client, sent: Sent) -> httpx.Response:
    for _ in range(ATTEMPTS):
        try:
            return client.post("/", content=sent.body, headers=dict(sent.headers))
        except httpx.TransportError:
            eventually(lambda: _known(client) > 0)
    raise AssertionError("the receiver does not answer")
