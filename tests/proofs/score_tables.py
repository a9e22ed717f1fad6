"""The mutation score as tables of at most 100 columns."""

from collections import Counter, defaultdict
from typing import Any


def verdict(row: dict[str, Any], tool: str) -> str:
    """ "found" if found at any point, "unsure" if ours was unsure at any, otherwise "passed"."""
    said = {
        case.get(tool, "")
        for case in row["cases"]
        if case["class"] == row["class"] or row["room"] == "optimizers"
    }
    return "found" if "found" in said else "unsure" if "unsure" in said else "passed"


def table(title: str, rows: list[dict[str, Any]], by: str, tools: list[str]) -> str:
    """How many mutants with an effect each tool found, a line for each value of `by`."""
    head = f"{'':<22}{'mutants':>8}{'ours':>7}{'unsure':>7}{'missed':>7}"
    head += "".join(f"{tool:>12}" for tool in tools[1:])
    lines = [title, head]
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row[by]].append(row)
    for name, members in [*sorted(groups.items()), ("all", rows)]:
        said = Counter(verdict(row, "ours") for row in members)
        line = (
            f"{name:<22}{len(members):>8}{said['found']:>7}{said['unsure']:>7}{said['passed']:>7}"
        )
        for tool in tools[1:]:
            line += f"{sum(verdict(row, tool) == 'found' for row in members):>12}"
        lines.append(line)
    return "\n".join(lines)


def by_case(rows: list[dict[str, Any]], tools: list[str]) -> str:
    """The same, counted by mutant and point."""
    cases = [case for row in rows for case in row["cases"] if case["class"] == row["class"]]
    said = Counter(case["ours"] for case in cases)
    line = f"{'mutant x shape':<22}{len(cases):>8}{said['found']:>7}"
    line += f"{said['unsure']:>7}{said['passed']:>7}"
    return line + "".join(
        f"{sum(case.get(tool) == 'found' for case in cases):>12}" for tool in tools[1:]
    )


def classes(rows: list[dict[str, Any]]) -> str:
    """The number of mutants of each class, by family."""
    names = ("derivative", "contract", "optimizer", "raises", "elsewhere", "same")
    lines = [
        "mutants by operator",
        f"{'':<22}{'all':>7}" + "".join(f"{name:>12}" for name in names),
    ]
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        groups[row["family"]][row["class"]] += 1
    total: Counter[str] = sum(groups.values(), Counter())
    for family, count in [*sorted(groups.items()), ("all", total)]:
        cells = "".join(f"{count[name]:>12}" for name in names)
        lines.append(f"{family:<22}{sum(count.values()):>7}{cells}")
    return "\n".join(lines)


def hint_table(rows: list[dict[str, Any]]) -> str:
    """How often the first hint is right, by operator, and what the wrong ones said.

    A hint is right if its cause is one of those that the operator can have (TRUE_CAUSES), or is
    exactly true of the wrong gradient beside the right one; right for a mutant if it is right at
    half of its points. `operator` counts the first kind alone. `formula` counts points whose cause
    is not right, and whose text says what the gradient should be.
    """
    lines = [
        "first hints, of mutants whose derivative is wrong and that were found",
        f"{'':<18}{'mutants':>8}{'right':>7}{'share':>7}{'operator':>10}{'formula':>9}   wrong",
    ]
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        cases = [case for case in row["cases"] if "true" in case and case["class"] == "derivative"]
        if row["class"] == "derivative" and cases:
            right = sum(case["true"] for case in cases) * 2 >= len(cases)
            named = sum(case["named"] for case in cases) * 2 >= len(cases)
            wrong = Counter(case["cause"] or "(none)" for case in cases if not case["true"])
            formula = sum(case["formula"] for case in cases if not case["true"])
            groups[row["family"]].append((right, named, wrong, formula))
    every = [verdicts for members in groups.values() for verdicts in members]
    for family, members in [*sorted(groups.items()), ("all", every)]:
        right, named = (
            sum(verdicts[0] for verdicts in members),
            sum(verdicts[1] for verdicts in members),
        )
        formula = sum(verdicts[3] for verdicts in members)
        wrong: Counter[str] = sum((verdicts[2] for verdicts in members), Counter())
        said = ", ".join(f"{cause} {n}" for cause, n in wrong.most_common(3))
        share = right / max(len(members), 1)
        line = f"{family:<18}{len(members):>8}{right:>7}{share:>7.0%}{named:>10}{formula:>9}"
        lines.append(f"{line}   {said}"[:100])
    contracts = [
        case
        for row in rows
        if row["class"] == "contract"
        for case in row["cases"]
        if "true" in case
    ]
    lines.append(
        f"contracts: named rightly in {sum(case['true'] for case in contracts)} of {len(contracts)}"
    )
    return "\n".join(lines)


def catalogue_table(entries: list[dict[str, Any]], tools: list[str]) -> str:
    """The catalogue by expected verdict, then every entry with another verdict or a wrong hint."""
    groups = {
        "wrong derivative": [
            entry
            for entry in entries
            if entry["must"] == "FAIL" and set(entry["classes"]) & set("D2")
        ],
        "broken contract": [
            entry
            for entry in entries
            if entry["must"] == "FAIL" and not set(entry["classes"]) & set("D2")
        ],
        "right, said to fail": [entry for entry in entries if entry["must"] != "FAIL"],
    }
    lines = [
        "the catalogue: FAIL, by tool",
        f"{'':<22}{'entries':>8}" + "".join(f"{tool:>12}" for tool in tools),
    ]
    for name, members in groups.items():
        cells = "".join(f"{sum(entry[tool] == 'found' for entry in members):>12}" for tool in tools)
        lines.append(f"{name:<22}{len(members):>8}{cells}")
    failed = [entry for entry in entries if entry["must"] == "FAIL" and entry["ours"] == "found"]
    lines.append(
        f"first hint or contract right: {sum(entry['true'] for entry in failed)} of {len(failed)}"
    )
    for entry in entries:
        right = {"FAIL": entry["ours"] == "found", "PASS": entry["ours"] == "passed"}.get(
            entry["must"], entry["ours"] != "found"
        )
        if not right or entry["right"] not in ("", "passed"):
            lines.append(
                f"  {entry['id']} [{entry['classes']}]: {entry['ours']}; "
                f"right: {entry['right']}; {entry['text']}"[:160]
            )
        elif entry["must"] == "FAIL" and not entry["true"]:
            lines.append(
                f"  {entry['id']}: hint {entry['cause']!r}, {entry['contracts']}: {entry['text']}"[
                    :160
                ]
            )
    return "\n".join(lines)


def missed(rows: list[dict[str, Any]]) -> str:
    """The mutants that ours did not find, with the point and the reason."""
    lines = ["not found by ours (* at every point)"]
    for row in rows:
        points = [point for point in row["cases"] if point["ours"] != "found"]
        if not points:
            continue
        star = "*" if verdict(row, "ours") != "found" else " "
        point = points[0]
        lines.append(
            f"{star} {row['id']}  [{row['class']}; {row['kind']}; "
            f"{len(points)} of {len(row['cases'])} points]"
        )
        lines.append(f"      {row['change']}"[:150])
        lines.append(
            f"      {point['ours']} at {point['label']} ({point['class']}: {point['where']}) "
            f"{point.get('text', '')}"[:180]
        )
    return "\n".join(lines)
