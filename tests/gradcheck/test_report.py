"""Reports fit their space, name the mistake, and agree in all their forms."""

import html.parser
import json
import re

import numpy as np
import pytest
import report_cases as records
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.gradcheck.reports.error_maps import MOST_SIDE, MOST_SLICES, error_map_of
from scratchgen.gradcheck.reports.pages import (
    certificate_json,
    certificate_page,
    certificate_table,
    counts_line,
)
from scratchgen.gradcheck.reports.picture_data import curve_of, marks_of, picture_of, points_of
from scratchgen.gradcheck.reports.plain import MOST_ENTRIES
from scratchgen.gradcheck.reports.report import Report
from scratchgen.gradcheck.reports.svg import curve_svg, decades, ticks
from scratchgen.gradcheck.reports.wording import digits_that_differ, extent
from scratchgen.gradcheck.results import (
    FAIL,
    INCONCLUSIVE,
    NOTE,
    PASS,
    WORST_FIRST,
    BlockResult,
    CaseResult,
    EntryMap,
    Finding,
    Hint,
    Ladder,
    Measurement,
)
from scratchgen.ground.errors import FileError

REPORTS = records.every_report()
ROW_2 = np.arange(12).reshape(3, 4) // 4 == 2
EMPTY_TAGS = {"meta", "br"}

numbers = st.floats(allow_nan=True, allow_infinity=True)
letters = st.characters(exclude_categories=["Cs"])
texts = st.text(letters, max_size=120) | st.just("") | st.just("a<b>&c " * 30)
verdicts = st.sampled_from([PASS, FAIL, INCONCLUSIVE])


@st.composite
def entry_maps(draw):
    shape = draw(st.sampled_from([(), (1,), (5,), (2, 3), (3, 1, 2, 2)]))
    size = int(np.prod(shape))
    n = draw(st.integers(0, size))
    columns = [np.array(draw(st.lists(numbers, min_size=n, max_size=n))) for _ in range(3)]
    bar = np.abs(np.where(np.isfinite(columns[2]), columns[2], 1e-9)) / 100
    return EntryMap(shape, np.arange(n), columns[0], columns[1], bar, n == size)


ladders = st.builds(
    lambda values: Ladder(0.1 / 2.0 ** np.arange(len(values)), np.array(values)),
    st.lists(numbers, max_size=5),
)
measurements = st.builds(
    Measurement, numbers, numbers, st.floats(0, 1e3), st.floats(0, 1e3), st.tuples(ladders, ladders)
)
blocks = st.builds(
    BlockResult,
    name=texts,
    shape=st.just((2, 3)),
    verdict=verdicts,
    reason=texts,
    resolution=st.none() | numbers,
    measurements=st.lists(measurements, max_size=2),
    entries=st.none() | entry_maps(),
    hints=st.lists(st.builds(Hint, texts, texts, numbers), max_size=2),
)
findings = st.builds(
    Finding,
    st.sampled_from(["linear", "pure", "dtype"]) | texts,
    verdicts | st.just(NOTE),
    texts,
    texts,
)
cases = st.builds(
    CaseResult,
    texts,
    st.lists(blocks, max_size=5),
    st.lists(findings, max_size=8),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)
reports = st.builds(
    Report,
    texts,
    st.lists(cases, max_size=5),
    st.integers(0, 2**128),
    texts,
    st.floats(0, 1e6),
    texts,
)


class Tags(html.parser.HTMLParser):
    """Fails on tags that do not close, and collects the outside addresses of a page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.asked, self.scripts = [], [], 0
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.asked += [target for name, target in attributes if name in ("src", "href", "action")]
        self.scripts += tag == "script"
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def fits(text, most=15):
    lines = text.split("\n")
    assert len(lines) <= most, text
    assert max(map(len, lines)) <= 79, text
    assert text.isascii()
    assert text.replace("\n", "").isprintable(), repr(text)


def stands_alone(page):
    tags = Tags(page)
    assert not tags.asked
    assert not tags.scripts
    assert "http" not in page
    page.encode("utf-8")


@given(reports)
def test_any_report_fits_15_lines_of_79_characters(report):
    fits(str(report), 5 if report.ok else 15)
    assert str(report).startswith(f"{report.verdict}  ")


@given(reports)
def test_any_report_becomes_a_self_contained_page_and_valid_json(report):
    page = report.to_html()
    Tags(page)
    json.loads(report.to_json(), parse_constant=lambda name: pytest.fail(name))


@given(st.lists(reports, max_size=3))
def test_any_list_of_reports_becomes_a_certificate(many):
    Tags(certificate_page(many, "all"))
    lines = certificate_table(many).split("\n")
    assert max(map(len, lines)) <= 79
    assert lines[-1] == counts_line(many)
    assert len(json.loads(certificate_json(many))["reports"]) == len(many)


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_a_report_fits_and_its_page_is_self_contained(name):
    report = REPORTS[name]
    fits(str(report), 5 if report.ok else 15)
    assert len(str(report).split("\n")) >= 2
    assert repr(report) == str(report)
    stands_alone(report.to_html())


def test_a_failed_report_names_the_worst_entry_the_cause_and_the_replay():
    lines = str(REPORTS["fail"]).split("\n")
    assert lines[0] == "FAIL  BatchNorm(3)  dx   seed 17, case N=4 H=W=5 C=3 training"
    entries = records.failed().entries
    worst = np.argmax(abs(entries.analytic - entries.numeric))
    place = ",".join(map(str, np.unravel_index(worst, entries.shape)))
    claimed, measured = entries.analytic[worst], entries.numeric[worst]
    assert lines[1] == f"  dx[{place}] = {claimed:+.4g}   numeric {measured:+.4g} +- 4e-13"
    assert lines[2] == "    (20 of 60 entries wrong, all with index 1 in axis 2)"
    assert lines[3].startswith("  cause (residual 1e-12): the error is constant over axes (0, 1)")
    assert lines[-1] == "  replay: check(BatchNorm(3), x=(4, 5, 3), seed=17)"


def test_failed_blocks_stand_above_inconclusive_ones_and_those_above_passed_ones():
    text = str(REPORTS["fail"])
    places = [text.index(word) for word in ("dx[", "INCONCLUSIVE  dgamma", "PASS  dbeta", "note")]
    assert places == sorted(places)


def test_a_broken_contract_is_reported_even_if_many_blocks_are_wrong():
    assert "FAIL  shape: dx: dx has shape (3, 4)" in str(REPORTS["many wrong blocks"])


def test_the_failed_case_comes_first_and_each_passed_case_has_a_line():
    lines = str(REPORTS["many cases, one bad"]).split("\n")
    assert lines[0].endswith("10 cases: 1 FAIL, 9 PASS")
    assert lines[1] == "  FAIL  N=4 H=W=5 C=3 training   dx"
    assert "  PASS  N=0 training   would see 2e-13" in lines
    shown = sum(line.startswith("  PASS  N=") for line in lines)
    assert f"... and {9 - shown} more cases" in "\n".join(lines)


def test_a_passed_report_states_its_resolution_and_its_cost():
    lines = str(REPORTS["pass"]).split("\n")
    assert lines[0] == "PASS  BatchNorm(3)   seed 17, case N=4 training"
    assert lines[1] == "  would see a typical entry off by 2e-13 in dx, 6e-15 in dgamma"
    assert "linear in dy, pure" in lines[2]
    assert lines[-1] == "  1,204 forward, 61 backward calls, 8 ms"


def test_notes_that_do_not_fit_are_counted():
    text = str(REPORTS["pass with notes"])
    assert "note dtype: float32 turns into float64 ... and 1 more note" in text


def test_an_inconclusive_report_gives_its_reason():
    assert "INCONCLUSIVE  dgamma: rounding in the forward pass" in str(REPORTS["inconclusive"])


@pytest.mark.parametrize(("name", "word"), [("no blocks", "no gradient"), ("no cases", "nothing")])
def test_a_report_without_checks_is_no_pass(name, word):
    assert REPORTS[name].verdict == INCONCLUSIVE
    assert not REPORTS[name].ok
    assert word in str(REPORTS[name])


def test_the_worst_of_the_cases_is_the_verdict_and_the_coarsest_block_the_resolution():
    report = REPORTS["many cases, one bad"]
    assert report.verdict == FAIL
    assert report.resolution == 3e-2
    assert report.forward_calls == 10 * 1204
    assert report.backward_calls == 10 * 61


def test_a_report_without_entries_shows_the_numbers_along_the_worst_direction():
    block = records.failed()
    block.entries = None
    text = str(records.report(records.case("", block)))
    assert "dx along a direction = +1.34   numeric +1.3 +- 4e-13" in text


@pytest.mark.parametrize(
    ("wrong", "complete", "text"),
    [
        (np.ones((3, 4), dtype=bool), True, "all 12 entries wrong"),
        (np.eye(3, 4) > 0, True, "3 of 12 entries wrong"),
        (ROW_2, True, "4 of 12 entries wrong, all with index 2 in axis 0"),
        (np.arange(12).reshape(3, 4) == 7, True, "1 of 12 entries wrong"),
        (np.eye(3, 4) > 0, False, "3 of 12 measured entries wrong"),
        (np.zeros((3, 4), dtype=bool), True, "none of 12 entries wrong"),
    ],
)  # fmt: skip
def test_a_report_states_the_index_that_all_wrong_entries_share(wrong, complete, text):
    assert extent(records.entry_map((3, 4), wrong, complete=complete)) == text


def test_an_axis_with_a_single_measured_index_is_not_named():
    entries = records.entry_map((3, 4), np.eye(3, 4) > 0)
    keep = np.array([0, 5])
    some = EntryMap(
        (3, 4), keep, entries.analytic[keep], entries.numeric[keep], entries.bar[keep], False
    )
    assert extent(some) == "all 2 measured entries wrong"


@given(st.floats(-1e9, 1e9), st.integers(1, 1000))
def test_two_numbers_that_differ_are_printed_differently(a, steps):
    b = a
    for _ in range(steps):
        b = float(np.nextafter(b, np.inf))
    first, other = digits_that_differ(a, b)
    assert first != other


def test_json_contains_every_number_and_reads_back_the_same():
    report = REPORTS["fail"]
    plain = json.loads(report.to_json())
    assert (plain["verdict"], plain["seed"], plain["replay"]) == (FAIL, 17, report.replay)
    assert set(plain["versions"]) == {"scratchgen", "numpy", "python"}
    case = plain["cases"][0]
    assert [block["name"] for block in case["blocks"]] == ["gamma", "beta", "x"]
    assert len(case["findings"]) == len(report.cases[0].findings)
    block, it = case["blocks"][2], report.cases[0].blocks[2]
    for written, measured in zip(block["measurements"], it.measurements, strict=True):
        assert written["numeric"] == measured.numeric
        assert written["bar"] == measured.bar
        assert written["ladders"][0]["values"] == measured.ladders[0].values.tolist()
    assert block["entries"]["wrong"] == 20
    assert len(block["entries"]["worst"]) == 60
    for entry in block["entries"]["worst"]:
        flat = np.ravel_multi_index(entry["index"], it.shape)
        assert entry["analytic"] == it.entries.analytic[flat]
        assert entry["numeric"] == it.entries.numeric[flat]


def test_json_has_texts_for_nan_and_infinities():
    block = json.loads(REPORTS["not finite"].to_json())["cases"][0]["blocks"][0]
    assert block["measurements"][0]["numeric"] == "nan"
    assert block["measurements"][0]["analytic"] == "inf"
    assert np.isneginf(float(block["entries"]["worst"][2]["analytic"]))


def test_json_keeps_the_worst_of_many_entries():
    wrong = np.arange(5000) * 1e-6
    block = records.failed("x", (5000,))
    block.entries = records.entry_map((5000,), wrong, error=1.0)
    plain = json.loads(records.report(records.case("", block)).to_json())
    worst = plain["cases"][0]["blocks"][0]["entries"]["worst"]
    assert [entry["index"] for entry in worst] == [
        [k] for k in range(4999, 4999 - MOST_ENTRIES, -1)
    ]


def test_names_of_users_are_escaped_in_pages():
    for page in (
        REPORTS["nasty"].to_html(),
        certificate_page([REPORTS["nasty"]], records.NASTY, {records.NASTY: records.NASTY}),
    ):
        assert "<script" not in page
        assert "\x00" not in page
        assert "&lt;script&gt;" in page
        stands_alone(page)


def test_reports_are_written_to_the_given_path(tmp_path):
    report = REPORTS["nasty"]
    page, plain = tmp_path / "a.html", tmp_path / "a.json"
    assert report.to_html(page) == page.read_text(encoding="utf-8")
    assert report.to_json(plain) == plain.read_text(encoding="utf-8")
    for write in (report.to_html, report.to_json):
        with pytest.raises(FileError, match=r"there is no folder .*nowhere: create it first"):
            write(tmp_path / "nowhere" / "a")


def test_a_page_shows_a_curve_for_each_block_and_a_map_of_the_wrong_entries():
    page = REPORTS["fail"].to_html()
    assert page.count("<polyline") == 3 * 3 + 1  # two families and the verdict; the diagonal
    assert page.count('fill="#000"') == 20  # a dot in each cell that is wrong


def test_the_curve_of_a_picture_never_leaves_its_frame():
    assert curve_of(records.special()) is None
    for name in ("pass", "fail"):
        block = REPORTS[name].cases[0].blocks[0]
        drawn = curve_svg(curve_of(block))
        places = re.findall(
            r"(-?[\d.]+),(-?[\d.]+)", " ".join(re.findall('points="([^"]*)"', drawn))
        )
        assert all(0 <= float(x) <= 360 and 0 <= float(y) <= 250 for x, y in places)


@pytest.mark.parametrize(
    "values",
    [[9.999999999999347e307], [1e308, 1.7e308], [5e-324], [1e-320, 1e308], [0.3, 0.4], [0]],
)
def test_a_logarithmic_axis_has_two_different_ends(values):
    low, high = decades(np.array(values))
    assert 0 < low < high < np.inf


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_an_axis_has_a_few_ticks_between_its_ends(low, length):
    found = ticks(low, low + length, log=False)
    assert 1 <= len(found) <= 6
    assert all(low - length * 1e-3 <= tick <= low + length * 1.001 for tick in found)


@pytest.mark.parametrize("shape", [(), (7,), (4, 3), (4, 5, 3), (2, 3, 4, 5), (1, 1, 6), (100, 3)])
def test_a_map_shows_every_wrong_entry_at_its_index(shape):
    wrong = np.random.default_rng(0).random(shape) < 0.4
    block = BlockResult("x", shape, FAIL, entries=records.entry_map(shape, wrong))
    error_map = error_map_of(block)
    if max(shape, default=1) <= MOST_SIDE:
        assert sum(int(marked.sum()) for _, _, marked in error_map.slices) == wrong.sum()
        for title, error, marked in error_map.slices:
            index = eval(f"np.s_{title}") if shape else ()
            np.testing.assert_array_equal(marked.ravel(), np.atleast_1d(wrong[index]).ravel())
            np.testing.assert_array_equal(error.ravel() > 1e-3, marked.ravel())
    assert all(
        error.shape[0] <= MOST_SIDE and error.shape[1] <= MOST_SIDE
        for _, error, _ in error_map.slices
    )


def test_a_map_of_a_huge_block_stays_small_and_keeps_its_worst_entries():
    shape = (50, 4000, 1, 3000)
    index = np.sort(np.random.default_rng(0).choice(np.prod(shape), 500, replace=False))
    numeric = np.zeros(500)
    analytic = np.zeros(500)
    analytic[123] = -7.0
    entries = EntryMap(shape, index, analytic, numeric, np.full(500, 1e-12), False)
    error_map = error_map_of(BlockResult("x", shape, FAIL, entries=entries))
    assert len(error_map.slices) == MOST_SLICES
    assert min(np.nanmin(error) for _, error, _ in error_map.slices) == -7.0
    assert sum(int(wrong.sum()) for _, _, wrong in error_map.slices) == 1


def test_points_that_are_not_finite_are_left_out_of_a_picture_and_counted():
    assert points_of(records.special()) is None
    block = records.failed("x", (4,))
    block.entries = EntryMap(
        (4,), np.arange(4), np.array([1, np.nan, 2, np.inf]), np.ones(4), np.ones(4), True
    )
    points = points_of(block)
    assert points.numeric.size == 2
    assert "2 not finite" in points.title


def test_a_contract_has_a_single_mark_with_its_worst_verdict():
    texts_by_contract = [
        Finding("pure", PASS),
        Finding("pure", FAIL, "x changed"),
        Finding("dtype", NOTE),
    ]
    marks = marks_of(records.case("", findings=texts_by_contract))
    assert [(mark.contract, mark.verdict) for mark in marks] == [("pure", FAIL), ("dtype", NOTE)]


def test_a_picture_shows_the_worst_blocks():
    picture = picture_of("title", REPORTS["fail"].cases[0])
    assert [curve.title for curve in picture.curves] == ["dx", "dgamma", "dbeta"]
    assert picture.points.wrong.sum() == 20
    assert len(picture.error_map.slices) == 3


@pytest.mark.parametrize("name", ["pass", "fail", "nasty", "not finite", "no cases"])
def test_a_report_can_be_drawn(name, tmp_path, slow_machine):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: no pictures are made")
    from matplotlib.image import imread

    REPORTS[name].plot(tmp_path / "report.png")
    assert imread(tmp_path / "report.png").std() > 0.01


def test_a_report_is_drawn_without_a_path_as_a_notebook_displays_it():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: no pictures are made")
    assert REPORTS["fail"].plot()._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(("ending", "begins"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_the_extension_of_a_picture_decides_its_format(ending, begins, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: no pictures are made")
    path = tmp_path / f"report.{ending}"
    REPORTS["no cases"].plot(path)
    assert path.read_bytes().startswith(begins)


def test_a_picture_that_cannot_be_written_is_named(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: no pictures are made")
    with pytest.raises(FileError):
        REPORTS["no cases"].plot(tmp_path / "nowhere" / "report.png")


def test_a_certificate_has_a_row_for_each_subject_and_failed_reports_in_full():
    many = [REPORTS[name] for name in ("pass", "fail", "inconclusive")]
    page = certificate_page(many, "all of it", {"seed": "17"})
    stands_alone(page)
    assert "1 PASS, 1 FAIL, 1 INCONCLUSIVE" in page
    assert page.count("<tr>") == 1 + 3
    assert page.count("<pre>") == 2
    assert "<dt>seed</dt><dd>17</dd>" in page
    assert '<span class="chip FAIL">dx FAIL</span>' in page


def test_a_certificate_sorts_its_subjects_by_kind():
    kinds = {"a": "layer", "b": "loss", "c": "layer"}
    many = [records.report(subject=name, kind=kind) for name, kind in kinds.items()]
    page = certificate_page(many, "all")
    assert page.index(">a</td>") < page.index(">c</td>") < page.index(">b</td>")


def test_a_certificate_states_the_worst_resolution_over_all_cases():
    report = records.report(
        records.case("one", records.passed("x")), records.case("two", records.passed("x", bar=4e-9))
    )
    assert re.findall(r"dx (\S+)</span>", certificate_page([report], "all")) == ["2e-08"]


def test_a_fine_resolution_has_another_colour_than_a_coarse_one():
    blocks = [records.passed("x"), records.passed("w", bar=4e-9)]
    page = certificate_page([records.report(records.case("", *blocks))], "all")
    sharp, blunt = re.findall(r'style="background:([^"]*)">d', page)
    assert sharp != blunt


def test_the_table_of_a_certificate_has_a_line_for_each_subject_and_ends_with_counts():
    text = certificate_table(list(REPORTS.values()))
    lines = text.split("\n")
    n = len(REPORTS)
    found = [line.split()[0] for line in lines[1 : n + 1]]
    assert [WORST_FIRST.index(verdict) for verdict in found] == sorted(
        map(WORST_FIRST.index, found)
    )
    assert lines[-1] == "4 PASS, 8 FAIL, 3 INCONCLUSIVE"
    assert re.search(r"PASS +BatchNorm\(3\) +2e-13 +8 of 8 +9\n", text)
    assert str(REPORTS["fail"]) in text
    assert str(REPORTS["pass"]) not in text
