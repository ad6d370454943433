"""Into which bins do values fall: at pack time, and in the server's counters?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_model_server.bins import MAX_CATEGORIES, MAX_CATEGORY_LENGTH, bounds_of, categorical_of, numeric_of
from sluice_model_server.counts import NumericCounts, SliceCounts, TextCounts
from sluice_model_server.profile import OTHER, Numeric, Slice
from sluice_model_server.slicing import slice_of

VALUES = st.lists(
    st.one_of(st.floats(width=64), st.sampled_from([0.0, -0.0, 1.0, 2.0, np.nan, np.inf, -np.inf])), max_size=60
).map(np.array)
FINITE = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60).map(np.array)


@given(FINITE)
def test_bounds_rise_and_are_finite_whatever_the_numbers(values):
    bounds = bounds_of(values)
    assert np.isfinite(bounds).all()
    assert (np.diff(bounds) > 0).all()
    assert 1 <= len(bounds) <= 9


def test_bins_hold_equal_shares_and_round_bounds():
    values = np.random.default_rng(0).gamma(2, 500, 20_000)
    numeric, missing = numeric_of(values)
    assert missing == 0
    assert all(1950 <= count <= 2050 for count in numeric.counts)
    assert all(len(repr(bound)) <= 7 for bound in numeric.bounds)


def test_few_different_values_have_a_bin_each():
    numeric, missing = numeric_of(np.array([0.0, 1.0, 1.0, np.nan, 3.0]))
    assert (numeric.bounds, numeric.counts, missing) == ((0.0, 1.0), (1, 2, 1), 1)
    assert (numeric.minimum, numeric.maximum) == (0.0, 3.0)
    constant, _ = numeric_of(np.array([7.0, 7.0]))
    assert (constant.bounds, constant.counts) == ((7.0,), (2, 0))


def test_a_column_without_a_value_has_one_bin_and_no_range():
    numeric, missing = numeric_of(np.full(3, np.nan))
    assert (numeric.bounds, numeric.counts, numeric.minimum, missing) == ((), (0,), None, 3)


@given(VALUES, FINITE)
def test_the_servers_counts_are_those_of_numpy(values, training):
    """Whatever is NaN, infinite or exactly on a bound: `le` as Prometheus has it, open below and closed above."""
    numeric, _ = numeric_of(training)
    live = np.concatenate([values, numeric.bounds])
    counts = NumericCounts(numeric)
    for part in np.array_split(live, 3):
        counts.add(np.sort(part))
    present = live[~np.isnan(live)]
    assert counts.present == len(present)
    assert counts.at_most == [int((present <= bound).sum()) for bound in numeric.bounds]
    assert counts.outside == int(((present < numeric.minimum) | (present > numeric.maximum)).sum())
    # numpy.histogram closes its bins below: negated, they close above, as `le` does. Infinities lie beyond its edges.
    finite = present[np.isfinite(present)]
    edges = [-np.finfo(float).max, *(-np.array(numeric.bounds[::-1])), np.finfo(float).max]
    expected = np.histogram(-finite, edges)[0][::-1]
    binned = np.diff([0, *counts.at_most, counts.present])
    binned[0] -= int((present == -np.inf).sum())
    binned[-1] -= int((present == np.inf).sum())
    if edges[0] < edges[1] and edges[-2] < edges[-1]:
        assert binned.tolist() == expected.tolist()


@given(FINITE)
def test_the_data_itself_gives_the_profiles_counts(values):
    numeric, _ = numeric_of(values)
    counts = NumericCounts(numeric)
    counts.add(np.sort(values))
    assert np.diff([0, *counts.at_most, counts.present]).tolist() == list(numeric.counts)
    assert counts.outside == 0


def test_categories_are_the_most_frequent_and_the_rest_is_known_by_name():
    values = [f"c{number:03}" for number in range(60) for _ in range(100 - number)] + ["x" * 200, np.nan, None]
    categorical, missing = categorical_of(values)
    assert missing == 2
    assert list(categorical.counts)[:2] == ["c000", "c001"]
    assert len(categorical.counts) == MAX_CATEGORIES
    assert categorical.rare == tuple(f"c{number:03}" for number in range(50, 60))
    assert not categorical.complete  # the long text is known by no name: an unseen one cannot be told from it
    assert categorical.other == sum(100 - number for number in range(50, 60)) + 1
    assert all(len(name) <= MAX_CATEGORY_LENGTH for name in categorical.counts)


@given(st.lists(st.sampled_from(["a", "b", "rare", "new", OTHER, np.nan]), max_size=50))
def test_every_text_is_counted_once(values):
    training, _ = categorical_of(["a"] * 3 + ["b"] * 2)
    training = training.model_copy(update={"rare": ("rare",)})
    counts = TextCounts(training)
    for part in (values[:20], values[20:]):
        counts.add(part)
    assert counts.of_listed == [values.count("a"), values.count("b")]
    assert counts.unseen == values.count("new") + values.count(OTHER)
    assert counts.other == counts.unseen + values.count("rare")
    assert sum(counts.of_listed) + counts.other + counts.missing == len(values)


@pytest.mark.parametrize(
    ("training", "values", "live", "codes"),
    [
        (np.array(["a", "a", "b"], dtype=object), ("a", "b"), ["b", "c", np.nan], [1, 2, 3]),
        (np.array([1.0, 0.5, 0.5]), ("0.5", "1"), [1.0, 0.5, 0.75, np.nan], [1, 0, 2, 3]),
        (
            np.arange(100.0),
            ("(-inf, 24]", "(24, 49]", "(49, 74]", "(74, inf]"),
            [24.0, 24.5, 1e9, np.nan],
            [0, 1, 3, 5],
        ),
    ],
)
def test_slices_of_texts_of_few_and_of_many_numbers(training, values, live, codes):
    part = slice_of("column", training, live=True)
    assert part.values == values
    counts = SliceCounts(part)
    column = np.array(live, dtype=training.dtype)
    assert counts.codes(column).tolist() == codes
    counts.add(column, np.arange(len(live)) == 0)
    assert (sum(counts.answered), sum(counts.failed)) == (len(live) - 1, 1)
    assert counts.failed[codes[0]] == 1


@pytest.mark.parametrize(
    "document",
    [{"bounds": [1, 1], "counts": [0, 0, 0]}, {"bounds": [2, 1], "counts": [0, 0, 0]}, {"bounds": [1], "counts": [0]}],
)
def test_bins_that_contradict_themselves_are_refused(document):
    with pytest.raises(ValueError, match="bounds"):
        Numeric.model_validate(document)


def test_slices_that_contradict_themselves_are_refused():
    with pytest.raises(ValueError, match="one fewer"):
        Slice(column="a", live=True, values=("x",), bounds=(1.0,))
    with pytest.raises(ValueError, match="as many"):
        Slice(column="a", live=True, values=("x",), numbers=(1.0, 2.0))
