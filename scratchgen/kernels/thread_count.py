"""How many threads are fastest is measured where a process may use four CPUs or more.

    candidates    the most, n = min(CPUs, 8); as many as there are cores; n / 2        (1)
    taken         the fastest, if it is 1.1 times as fast as n, and the times are sure (2)

Two CPUs of one core share its arithmetic. Some cores are slower than others, and a kernel waits for
the slowest. With up to three CPUs nothing is chosen here: sharing.FasterWay decides between one
thread and several, again and again. A table with the nine products of product_trials.py is timed,
and the times are kept (machine_files.py). A number that SCRATCHGEN_THREADS, `set_threads` or
`threads` names overrules the measured one.
"""

import functools
from pathlib import Path

from . import machine_files, sharing
from .locks import Lock
from .machine_files import Values
from .plans import Table
from .product_trials import FORMS, SHAPES, trial
from .trials import in_turns, is_sure, shortest

SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
FEWEST = 4  # CPUs
MARGIN = 1.1
SECONDS = 0.01
NAME = "threads"

_lock = Lock()


def settle(char: str, until_sure: bool = False) -> Values | None:
    """Take the measured number from now on, and return its times; None if there is no choice.

    It is measured, by products of the dtype `char`, if no file has it, or if `until_sure` and the
    times in the file are not sure.
    """
    with _lock:
        counts = candidates()
        if len(counts) < 2:
            return None
        values = machine_files.kept(NAME, is_measurement)
        if values is None or (until_sure and not values["sure"]):
            values = measure(counts, char)
            machine_files.keep(NAME, values)
        sharing.set_default(taken(values))
        return values


def text_of(values: Values | None) -> str:
    """The number of threads where none is named, and the times that decided it."""
    number = f"{sharing.default_threads()} by default"
    if values is None:
        return number
    times = ", ".join(f"{n} took {1e6 * x:.0f} us" for n, x in values["seconds"].items())
    return f"{number}; {times}, {'sure' if values['sure'] else 'not sure, because CPUs were busy'}"


def candidates() -> list[int]:
    """(1), the largest first."""
    most = sharing.available(sharing.most_by_default())
    if most < FEWEST:
        return [most]
    return sorted({most, most // 2, min(cores(), most)}, reverse=True)


def cores() -> int:
    """How many cores the usable CPUs belong to; one each if the system does not say."""
    cpus = sharing.affinity()
    try:
        return len({Path(SIBLINGS.format(cpu)).read_text() for cpu in cpus}) or len(cpus)
    except OSError:
        return len(cpus)


def measure(counts: list[int], char: str) -> Values:
    """`seconds` of the table by number of threads, and whether all are `sure`."""
    calls = [trial(form, shape, char).call for shape in SHAPES.values() for form in FORMS]
    ways = {str(n): functools.partial(sharing.run, Table(calls, n).go, n) for n in counts}
    for way in ways.values():  # compiled, and the threads are there
        way()
    times = in_turns(ways, SECONDS)
    return {
        "seconds": {n: shortest(each) for n, each in times.items() if each},
        "sure": all(map(is_sure, times.values())),
    }


def is_measurement(values: Values) -> bool:
    """Whether that is what `measure` returns for the candidates here."""
    seconds, all_of_them = values["seconds"], set(map(str, candidates()))
    return (
        isinstance(values["sure"], bool)
        and (seconds.keys() == all_of_them or not values["sure"])
        and seconds.keys() <= all_of_them
        and all(x > 0 for x in seconds.values())
    )


def taken(values: Values) -> int:
    """(2)."""
    seconds, most = values["seconds"], candidates()[0]
    if not values["sure"]:
        return most
    best = min(seconds, key=seconds.__getitem__)
    return int(best) if MARGIN * seconds[best] < seconds[str(most)] else most  # (2)
