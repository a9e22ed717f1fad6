"""A report as text: at most 15 lines of 79 characters, the worst first.

FAIL  BatchNorm(3)  dx   seed 17, case N=4 H=W=5 C=3 training
  dx[2,3,0,1] = +0.3127   numeric +0.2893 +- 4e-13
    60 of 300 entries wrong, all with index 1 in axis 3
  cause (residual 1e-12): the error is constant over (N, H, W): ...
  PASS  dgamma (would see 3e-13), dbeta (2e-14); linear in dy, pure, layout-free
  replay: check(BatchNorm(3), x=(4, 5, 5, 3), seed=17)
"""

import math
from collections import Counter
from collections.abc import Sequence

from ...ground.tables import INDENT, WIDTH
from ..results import FAIL, INCONCLUSIVE, NOTE, PASS, WORST_FIRST, BlockResult, CaseResult, worst
from .line_breaks import Item, fitted, packed, prose
from .wording import (
    as_ascii,
    calls,
    contract_in_words,
    digits_that_differ,
    error_bars_off,
    extent,
    one_digit,
    place,
    resolution_of,
    shorten,
    texts_by_contract,
    worst_first,
    worst_measurement,
)

MOST_LINES = 15
MOST_LINES_OF_PASS = 5


def report_text(
    subject: str, cases: Sequence[CaseResult], seed: int, replay: str, seconds: float
) -> str:
    """The whole text."""
    forward = sum(case.forward_calls for case in cases)
    cost = calls(forward, sum(case.backward_calls for case in cases), seconds)
    verdict = worst([case.verdict for case in cases])
    head = [_header(verdict, subject, cases, seed)]
    if verdict == PASS:
        items, tail, most = _passed_items(cases), [INDENT + cost], MOST_LINES_OF_PASS
    else:
        replayed = prose(f"replay: {replay}", INDENT, 3) if replay else []
        items, tail, most = _items(cases), [INDENT + cost, *replayed], MOST_LINES
    return "\n".join([*head, *fitted(items, most - len(head) - len(tail)), *tail])


def _header(verdict: str, subject: str, cases: Sequence[CaseResult], seed: int) -> str:
    """`FAIL  BatchNorm(3)  dx   seed 17, case training`, shortened to fit a line."""
    where, blamed = f"seed {seed}", ""
    if len(cases) == 1:
        where += f", case {as_ascii(cases[0].label)}" if cases[0].label else ""
        blamed = _reason_for_verdict(cases[0])
    elif cases:
        found = Counter(case.verdict for case in cases)
        counts = ", ".join(
            f"{found[verdict]} {verdict}" for verdict in WORST_FIRST if found[verdict]
        )
        where += f", {len(cases)} cases" + (f": {counts}" if len(found) > 1 else "")
    space = WIDTH - len(verdict) - len(blamed) - 7
    what = shorten(as_ascii(subject), max(space // 2, space - len(where)))
    return f"{verdict}  {what}  {blamed}".rstrip() + f"   {shorten(where, space - len(what))}"


def _reason_for_verdict(case: CaseResult) -> str:
    """The blocks, or else the contracts, that are the reason for a verdict other than PASS."""
    names: list[str] = []
    for verdict in (FAIL, INCONCLUSIVE):
        if not names and verdict == case.verdict:
            names = [f"d{block.name}" for block in _sorted(case.blocks, verdict)]
            names = names or list(texts_by_contract(case, verdict))
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return shorten(", ".join(as_ascii(name) for name in names[:2]), 20) + more


def _items(cases: Sequence[CaseResult]) -> list[Item]:
    """The items of a report whose verdict is not PASS."""
    if not cases:
        return [Item("case", [INDENT + "nothing was checked"])]
    order = sorted(cases, key=lambda case: WORST_FIRST.index(case.verdict))
    if len(order) == 1:
        return [*_case_items(order[0], INDENT), *_note_items(cases, 2)]
    found = []
    for case in order:
        label = as_ascii(case.label) or "unnamed case"
        if case.verdict == PASS:
            sees = f"   would see {one_digit(resolution_of(case.blocks))}"
            found.append(
                Item("case", [shorten(f"{INDENT}PASS  {label}", WIDTH - len(sees)) + sees])
            )
            continue
        blamed = _reason_for_verdict(case)
        space = WIDTH - len(blamed) - 3
        header = shorten(f"{INDENT}{case.verdict}  {label}", space) + f"   {blamed}" * bool(blamed)
        found += [Item("case", [header]), *_case_items(case, 2 * INDENT)]
    return [*found, *_note_items(cases, 2)]


def _case_items(case: CaseResult, indent: str) -> list[Item]:
    """The items of one case, the worst first."""
    failed = [Item("block", _failed(block, indent)) for block in _sorted(case.blocks, FAIL)]
    items = [*failed[:1], *_contract_items(case, FAIL, indent), *failed[1:]]
    for block in _sorted(case.blocks, INCONCLUSIVE):
        text = f"d{block.name}: {block.reason or 'no reason is known'}"
        items.append(Item("block", prose(text, indent, 3, "INCONCLUSIVE  ")))
    items += _contract_items(case, INCONCLUSIVE, indent)
    if passed := _passed(case, indent):
        items.append(Item("block", passed))
    return items or [Item("block", [indent + "no gradient was asked for"])]


def _sorted(blocks: Sequence[BlockResult], verdict: str) -> list[BlockResult]:
    """The blocks with this verdict, the one with the most error bars off first."""

    def off(block: BlockResult) -> float:
        measured = worst_measurement(block)
        return error_bars_off(measured) if measured else math.inf

    return sorted((block for block in blocks if block.verdict == verdict), key=off, reverse=True)


def _failed(block: BlockResult, indent: str) -> list[str]:
    """A wrong gradient: its worst entry, how many entries are wrong, and the cause."""
    lines = packed(_evidence(block), indent)
    if block.hints:
        hint = block.hints[0]
        fit = f" (residual {one_digit(hint.residual)})" if hint.residual else ""
        lines += prose(f"cause{fit}: {hint.text}", indent, 3)
    elif block.reason:
        lines += prose(block.reason if lines else f"d{block.name}: {block.reason}", indent, 3)
    return lines or [indent + shorten(f"d{as_ascii(block.name)} is wrong", WIDTH - len(indent))]


def _evidence(block: BlockResult) -> list[str]:
    """`dx[2,1] = +0.3127`, `numeric +0.2893 +- 4e-13`, and how many entries are wrong."""
    name, entries, measured = f"d{as_ascii(block.name)}", block.entries, worst_measurement(block)
    if entries is not None and len(entries.index):
        k = int(worst_first(entries)[0])
        name = shorten(name, 40) + place(entries.index[k], entries.shape)
        pair = digits_that_differ(float(entries.analytic[k]), float(entries.numeric[k]))
        bar, more = float(entries.bar[k]), [f"({extent(entries)})"]
        if not entries.wrong.any() and measured:
            more.append(f"(but {error_bars_off(measured):.1g} error bars off along a direction)")
    elif measured:
        name = shorten(name, 40) + " along a direction"
        pair = digits_that_differ(float(measured.analytic), float(measured.numeric))
        bar, more = measured.bar, []
    else:
        return []
    return [f"{name} = {pair[0]}", f"numeric {pair[1]} +- {one_digit(bar)}", *more]


def _contract_items(case: CaseResult, verdict: str, indent: str) -> list[Item]:
    """The contracts with this verdict, up to three lines each."""
    found = []
    for name, texts in texts_by_contract(case, verdict).items():
        text = f"{name}: {texts[0] or 'no reason is known'}"
        text += f" (and {len(texts) - 1} more)" * (len(texts) > 1)
        found.append(Item("contract", prose(text, indent, 3, f"{verdict}  ")))
    return found


def _passed(case: CaseResult, indent: str) -> list[str]:
    """What passed in a failed case: blocks, each with its resolution, and contracts."""
    seen = _seen(case.blocks)
    parts = [f"{name} ({size})" if size else name for name, size in seen[:3]]
    if parts and seen[0][1]:
        parts[0] = f"{seen[0][0]} (would see {seen[0][1]})"
    if len(seen) > 3:
        parts.append(f"{len(seen) - 3} more gradients")
    text = "; ".join(filter(None, [", ".join(parts), _kept([case])]))
    return prose(text, indent, 2, "PASS  ") if text else []


def _passed_items(cases: Sequence[CaseResult]) -> list[Item]:
    """The items of a PASS: resolutions, contracts and notes."""
    items, notes = [], _note_items(cases, 1)
    seen = [
        (name, size) for name, size in _seen([b for case in cases for b in case.blocks]) if size
    ]
    if seen:
        text = f"{INDENT}would see a typical entry off by {seen[0][1]}"
        sizes = ", ".join([f" in {seen[0][0]}", *(f"{size} in {name}" for name, size in seen[1:])])
        fits = len(text + sizes) <= WIDTH
        items.append(Item("block", [text + (sizes if fits else f" in {len(seen)} gradients")]))
    if contracts := _kept(cases):
        items.append(Item("contract", prose(contracts, INDENT, 1 if notes else 2)))
    return [*items, *notes]


def _kept(cases: Sequence[CaseResult]) -> str:
    """The contracts that passed, in words."""
    names = {name: None for case in cases for name in texts_by_contract(case, PASS)}
    return ", ".join(contract_in_words(name) for name in names)


def _seen(blocks: Sequence[BlockResult]) -> list[tuple[str, str]]:
    """Blocks that passed, each with its worst resolution, the coarsest first."""
    passed = [block for block in blocks if block.verdict == PASS]
    names = list({block.name: None for block in passed})
    coarsest = {
        name: resolution_of([block for block in passed if block.name == name]) for name in names
    }
    names.sort(key=lambda name: -(coarsest[name] or 0))
    return [
        (
            shorten(f"d{as_ascii(name)}", 40),
            "" if coarsest[name] is None else one_digit(coarsest[name]),
        )
        for name in names
    ]


def _note_items(cases: Sequence[CaseResult], most: int) -> list[Item]:
    """Notes, a line each; the last line counts those left out."""
    notes: list[str] = []
    for case in cases:
        passed = [block for block in case.blocks if block.verdict == PASS and block.reason]
        notes += [f"d{block.name}: {block.reason}" for block in passed]
        notes += [
            f"{name}: {text}"
            for name, texts in texts_by_contract(case, NOTE).items()
            for text in texts
        ]
    found = [as_ascii(f"note  {text}") for text in dict.fromkeys(notes)]
    left = len(found) - most
    more = f" ... and {left} more note{'s' * (left > 1)}"
    if left > 0:
        found = [*found[: most - 1], shorten(found[most - 1], WIDTH - len(INDENT + more)) + more]
    return [Item("note", [shorten(INDENT + text, WIDTH)]) for text in found]
