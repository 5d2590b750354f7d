"""Whose things are on an engine, and whether their owners are dead."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.cleanup.ownership import (
    ContainerStart,
    Owner,
    Sight,
    container_id,
    is_dead,
    machine_of,
    ownerless,
    sight,
    start_of_container,
    sweep,
    this_process,
)
from dockercise_prefect.runtime.cleanup.removal import counted
from dockercise_prefect.runtime.engine import Engine, Leftover, ResolvedImage
from tests.engines.driving import container, rehearse, running, spec_of
from tests.engines.scripted import Behaviour, ScriptedEngine

NOBODY = ScriptedEngine()
"""An engine that runs nothing."""

ME = replace(this_process(NOBODY), machine="machine")
PROGRAM = (
    "from dockercise_prefect.runtime.cleanup.ownership import this_process; from tests.engines.scripted import ScriptedEngine;"
    "print(this_process(ScriptedEngine()), flush=True); input()"
)
ID = "0123456789abcdef" * 4
FOLDER = "/var/lib/docker/containers"
BLOCKS = "echo begun; exec sleep 600"


def dead_process() -> str:
    """The owner label of a process that lived and has ended."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], input="\n", capture_output=True, text=True, check=True)
    return known(done.stdout)


def known(owner: str) -> str:
    """The label with the machine of these tests."""
    read_back = Owner.parse(owner.strip())
    assert read_back is not None
    return str(replace(read_back, machine=ME.machine))


def left(owner: str, number: int = 1, run: str | None = None, **labels: str) -> Leftover:
    """Something that a run left behind, by default a run of its own."""
    label = {f"dockercise.{name}": text for name, text in labels.items()}
    return Leftover("volume", f"volume{number}", {"dockercise.run": run or f"run{number}", "dockercise.owner": owner, **label})


def test_an_owner_reads_back() -> None:
    """A label can be read back as its owner, whatever the host is called."""
    odd = replace(ME, host="a/b c")

    assert Owner.parse(str(odd)) == odd


@pytest.mark.parametrize("label", ["", "x", "a/b/c/d/e/f", "h/m/b/n/1", "h/m/b/n/x/1"])
def test_a_label_of_another_making_is_nobodys_to_judge(label: str) -> None:
    """A label that we do not understand is left alone."""
    assert not is_dead(label, ME, NOBODY)


def test_this_process_lives() -> None:
    """A run does not sweep its own things, nor those of another run in this process."""
    assert not is_dead(str(ME), this_process(NOBODY), NOBODY)


def test_a_process_that_ended_is_dead() -> None:
    """A process is dead when its number is gone or belongs to another process."""
    assert is_dead(dead_process(), ME, NOBODY)


def test_a_process_that_nobody_has_waited_for_is_dead() -> None:
    """A killed process that its parent has not waited for does not count as a living owner."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    owner = known(process.stdout.readline())
    alive = is_dead(owner, ME, NOBODY)

    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # until it is dead, without waiting for it

    assert (alive, is_dead(owner, ME, NOBODY)) == (False, True)
    process.communicate()


@pytest.mark.parametrize(
    ("owner", "dead"),
    [
        (replace(ME, start="1"), True),
        (replace(ME, boot="another"), True),
        (replace(ME, host="another"), False),
        (replace(ME, host="another", boot="another"), False),
        (replace(ME, machine="another", boot="another"), False),
        (replace(ME, machine="another", start="1"), False),
        (replace(ME, boot="", start="1"), False),
        (replace(ME, namespace="", start="1"), False),
        (replace(ME, pid=2**40), False),
        (replace(ME, namespace="another", start="1"), False),
    ],
)
def test_only_what_is_sure_counts(owner: Owner, dead: bool) -> None:
    """A later start of the process or the machine proves its death; another machine or namespace is never judged."""
    assert is_dead(str(owner), ME, NOBODY) is dead


@pytest.mark.parametrize(("boot", "start", "dead"), [("another", "1", False), (ME.boot, "1", True)])
def test_a_machine_that_cannot_be_told_from_others(boot: str, start: str, dead: bool) -> None:
    """If nothing tells two machines of one name apart, another start may be that of the other machine."""
    nameless = replace(ME, machine="")

    assert is_dead(str(replace(nameless, boot=boot, start=start)), nameless, NOBODY) is dead


@pytest.mark.parametrize(("machine_id", "addresses"), [("", ["02:00"]), ("id", [])])
def test_an_id_alone_tells_no_machine(machine_id: str, addresses: list[str]) -> None:
    """Containers and clones share the id of their image, so a machine without its own hardware is not known."""
    assert not machine_of(machine_id, addresses)


def test_clones_are_told_apart_by_their_hardware() -> None:
    """The same id with another address is another machine; the order of the addresses does not matter."""
    assert machine_of("id", ["a", "b"]) == machine_of("id", ["b", "a"]) != machine_of("id", ["a", "c"])


@pytest.mark.parametrize("hidden", ["content", "folder"])
def test_a_process_that_is_hidden_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    """If `/proc` hides other users' processes (`hidepid`), a process is dead only when the kernel reports it."""
    if hidden == "content":
        (tmp_path / str(os.getppid())).mkdir()
    gone = dead_process()
    monkeypatch.setattr("dockercise_prefect.runtime.cleanup.processes.PROC", tmp_path)

    assert not is_dead(str(replace(ME, pid=os.getppid(), start="1")), ME, NOBODY)
    assert is_dead(gone, ME, NOBODY)


def mount(root: str, target: str) -> str:
    """A line of `/proc/self/mountinfo`."""
    return f"91 74 254:0 {root} {target} rw,relatime - ext4 /dev/vda rw\n"


@pytest.mark.parametrize(
    ("mounts", "found"),
    [
        (mount(f"{FOLDER}/{ID}/hostname", "/etc/hostname"), ID),
        (
            mount("/", "/")
            + mount(f"/containers/{ID}/hosts", "/etc/hosts")
            + mount(f"{FOLDER}/{ID}/hostname", "/etc/hostname"),
            ID,
        ),
        (mount(f"/overlay-containers/{ID}/userdata/resolv.conf", "/etc/resolv.conf"), ID),
        ("", ""),
        (mount("/", "/") + mount("/etc/hosts", "/etc/hosts"), ""),
        (mount(f"{FOLDER}/{ID}/hostname", "/mnt/etc/hostname"), ""),
        (mount(f"{FOLDER}/{ID[:12]}/hostname", "/etc/hostname"), ""),
        (mount(f"{FOLDER}/{ID}/hostname", "/etc/hostname") + mount(f"{FOLDER}/{ID[::-1]}/hosts", "/etc/hosts"), ""),
    ],
)
def test_a_container_is_known_by_what_its_engine_mounts(mounts: str, found: str) -> None:
    """A container finds its own id in the source of these mounts; if there are two ids, it finds none."""
    assert container_id(mounts) == found


def test_an_owner_in_a_container_reads_back() -> None:
    """The start of the container takes the place of the machine's name."""
    start = ContainerStart(ID, "2026-11-26T14:49:57.924925668Z")
    owner = replace(ME, host=str(start))

    read_back = Owner.parse(str(owner))

    assert read_back == owner
    assert ContainerStart.parse(owner.host) == start


@pytest.mark.parametrize("host", ["vm", f"container:{ID[:12]}@x", f"container:{ID}", f"container:{ID}@", f"container:{ID}/x"])
def test_a_host_that_is_no_container(host: str) -> None:
    """A machine may have any name."""
    assert ContainerStart.parse(host) is None


def test_only_the_engine_that_runs_it_knows_a_container(
    engine: Engine, image: ResolvedImage, labels: Mapping[str, str]
) -> None:
    """A container of another engine, or one that knows itself by another name, is not taken for ours."""
    rehearse(engine, BLOCKS, Behaviour(stdout=b"begun\n", blocks=True))
    with container(engine, spec_of(image, labels, BLOCKS)) as id_, running(engine, id_):
        known = start_of_container(engine, id_, id_[:12])

        assert known == ContainerStart(id_, known.since if known else "")
        assert start_of_container(engine, id_, "another") is None
        assert start_of_container(engine, ID, ID[:12]) is None
        assert start_of_container(engine, "", "vm") is None


def test_what_ran_in_a_container_is_dead_when_that_start_of_it_is_over(
    engine: Engine, image: ResolvedImage, labels: Mapping[str, str], run_id: str
) -> None:
    """While the container runs, nothing is touched; when it has ended or is gone, everything is removed.

    Any machine can ask the engine about this.
    """
    rehearse(engine, BLOCKS, Behaviour(stdout=b"begun\n", blocks=True))
    with container(engine, spec_of(image, labels, BLOCKS)) as id_:
        with running(engine, id_):
            start = start_of_container(engine, id_, id_[:12])
            owner = str(replace(ME, host=str(start), namespace="1", start="1"))
            name = f"dockercise-{run_id}"
            engine.create_volume(name, {"dockercise.run": run_id, "dockercise.owner": owner})

            sweep(engine, ME, lambda _: None)
            spared = engine.volume_exists(name)
            restarted = str(replace(ME, host=f"{start}1"))

            assert (spared, is_dead(owner, ME, engine), is_dead(restarted, ME, engine)) == (True, False, True)
        ended = is_dead(owner, ME, engine)
    gone = is_dead(owner, ME, engine)

    sweep(engine, ME, lambda _: None)

    assert (ended, gone, engine.volume_exists(name)) == (True, True, False)


def test_in_one_container_processes_are_told_apart() -> None:
    """A process that ended is dead for others in its running container; one in another namespace stays in doubt."""
    inside = replace(ME, host=str(ContainerStart(ID, "now")), machine="")

    assert is_dead(str(replace(inside, start="1")), inside, NOBODY)
    assert not is_dead(str(inside), inside, NOBODY)
    assert not is_dead(str(replace(inside, namespace="another", start="1")), inside, NOBODY)


def test_an_engine_that_does_not_say_whether_a_container_runs_removes_nothing() -> None:
    """An engine that gives no answer does not prove a death."""
    engine = ScriptedEngine()
    foreign = left(str(replace(ME, host=str(ContainerStart(ID, "now")))))
    engine.add_leftover(foreign)
    engine.fail("running", EngineError("it does not answer"))

    with pytest.raises(EngineError, match="does not answer"):
        sweep(engine, ME, lambda _: None)

    assert engine.leftovers() == [foreign]


def test_a_sweep_takes_the_dead_and_nothing_else() -> None:
    """Everything that dead owners left is removed and reported; the things of others stay."""
    engine, said = ScriptedEngine(), list[str]()
    gone, mine, foreign = left(dead_process()), left(str(ME), number=2), left(str(replace(ME, host="other")), number=3)
    for leftover in (gone, mine, foreign):
        engine.add_leftover(leftover)

    sweep(engine, ME, said.append)

    assert engine.leftovers() == [mine, foreign]
    assert said == ["removed what a killed run left on the engine: 1 volume"]


def test_a_run_is_dead_when_all_its_owners_are() -> None:
    """While one process that owns something of a run lives, for example its guardian, the run is left alone."""
    engine, said = ScriptedEngine(), list[str]()
    guarded = [left(dead_process(), run="guarded"), left(str(ME), number=2, run="guarded")]
    for leftover in (*guarded, left(dead_process(), number=3, run="dead")):
        engine.add_leftover(leftover)

    sweep(engine, ME, said.append)

    assert engine.leftovers() == guarded


def test_a_guarded_run_is_left_alone_whatever_prefect_says() -> None:
    """Prefect may think that a run is dead whose guardian is just finishing it. A run that nobody here looks after is not."""
    engine = ScriptedEngine()
    foreign = str(replace(ME, host="other"))
    guarded = [left(dead_process(), run="guarded", flow_run="1"), left(str(ME), number=2, run="guarded", flow_run="1")]
    elsewhere = left(foreign, number=3, flow_run="2")
    for leftover in (*guarded, elsewhere):
        engine.add_leftover(leftover)

    assert ownerless(engine, ME, {"1", "2"}) == [elsewhere]


def test_what_clean_up_stages_need_is_left_for_gc() -> None:
    """A sweep leaves what a dead run left whose clean-up stages are still to run."""
    engine = ScriptedEngine()
    engine.add_leftover(needed := left(dead_process(), cleanup_after_crash="true"))

    sweep(engine, ME, lambda _: None)

    assert engine.leftovers() == [needed]
    assert ownerless(engine, ME) == [needed]


def test_a_sweep_that_finds_nothing_says_nothing() -> None:
    """A sweep that finds nothing prints nothing."""
    said: list[str] = []

    sweep(ScriptedEngine(), ME, said.append)

    assert said == []


def test_what_cannot_be_swept_is_told() -> None:
    """If the engine refuses to remove one thing, the rest is still removed and the run goes on."""
    engine, said = ScriptedEngine(), list[str]()
    owner = dead_process()
    engine.add_leftover(left(owner))
    engine.add_leftover(left(owner, number=2))
    engine.fail("discard", EngineError("device is busy"))

    sweep(engine, ME, said.append)

    assert len(engine.leftovers()) == 1
    assert [line for line in said if "device is busy" in line]


def test_counts_read_well() -> None:
    """A count of one has no plural."""
    assert counted([left(""), left("", number=2), Leftover("image", "i", {})]) == "2 volumes, 1 image"


def test_without_an_engine_only_what_is_seen_is_judged() -> None:
    """A process of this machine is alive or dead; of another machine, or of a container, nothing is known."""
    in_container = str(replace(ME, host=f"container:{ID}@now"))

    assert sight(str(this_process(None)), this_process(None)) is Sight.ALIVE
    assert sight(dead_process(), ME) is Sight.DEAD
    assert sight(str(replace(ME, host="another")), ME) is Sight.UNKNOWN
    assert sight(in_container, ME) is Sight.UNKNOWN
    assert sight("not an owner", ME) is Sight.UNKNOWN


def test_a_flow_run_that_is_known_to_be_dead_owns_nothing() -> None:
    """What belongs to a dead flow run is ownerless, although its process cannot be seen; that of others is not."""
    engine = ScriptedEngine()
    elsewhere = str(replace(ME, host="another"))
    for number, flow_run in enumerate(("dead", "alive")):
        labels = {"dockercise.run": "old", "dockercise.owner": elsewhere, "dockercise.flow_run": flow_run}
        engine.create_volume(f"volume{number}", labels)

    found = ownerless(engine, ME, {"dead"})

    assert [leftover.labels["dockercise.flow_run"] for leftover in found] == ["dead"]
