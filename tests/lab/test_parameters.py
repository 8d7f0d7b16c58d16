"""Parameters are read by the types that a notebook declares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retailkit.lab.parameters import Parameter, ParameterError, ParameterTypeError, assigned, declared, fit, unknown


def of(kind: str) -> Parameter:
    return Parameter("x", kind, "", "")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("float", "4", 4.0),
        ("float", 4, 4.0),
        ("float", "1e-3", 0.001),
        ("float", np.float64(2.5), 2.5),
        ("int", "-3", -3),
        ("int", np.int64(3), 3),
        ("bool", "true", True),
        ("bool", "False", False),
        ("str", "4", "4"),
        ("str", "none", "none"),
        ("float | None", "none", None),
        ("float | None", "4", 4.0),
        ("Optional[int]", None, None),
        ("str | None", "null", None),
        ("int | str", "4", 4),
        ("int | str", "four", "four"),
        ("list[str]", '["a", "b"]', ["a", "b"]),
        ("list", "['a']", ["a"]),
        ("dict", '{"a": 1}', {"a": 1}),
        ("Path", "anything", "anything"),  # a type that is not checked
    ],
)
def test_fits(kind, value, expected):
    found = fit(of(kind), value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("float", "four", "a float"),
        ("float", True, "a float"),
        ("float", None, "a float"),
        ("int", "4.0", "an int"),
        ("int", 4.0, "an int"),
        ("int", True, "an int"),
        ("bool", "1", "a bool"),
        ("bool", 1, "a bool"),
        ("str", 8, "a str"),
        ("list", '{"a": 1}', "a list"),
        ("list", "[1", "a list"),
        ("float | None", "four", "None or a float"),
    ],
)
def test_does_not_fit(kind, value, wanted):
    with pytest.raises(ParameterTypeError) as caught:
        fit(of(kind), value)
    assert str(caught.value).startswith(f"parameter 'x' is {value!r}")
    assert str(caught.value).endswith(f": {wanted} is wanted")
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ParameterError)


@pytest.mark.parametrize("kind", ["int", "float", "bool", "list", "dict", "float | None", "str"])
@given(text=st.text())
def test_any_text_is_read_or_refused(kind, text):
    try:
        value = fit(of(kind), text)
    except ParameterTypeError:
        return
    assert type(value).__name__ in kind.replace("None", "NoneType")


@given(value=st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.lists(st.integers())))
def test_what_python_prints_is_read_back(value):
    assert fit(of(type(value).__name__), repr(value)) == value


def test_declared_reads_types_defaults_and_comments():
    source = '%matplotlib inline\nminutes: float = 1.0  # how long\nnames: "list[str]" = ["a"]\nplain = 3\n'
    assert declared(source) == [
        Parameter("minutes", "float", "1.0", "how long"),
        Parameter("names", "list[str]", "['a']", ""),
    ]
    assert assigned(source) == ["minutes", "names", "plain"]


def test_cell_magic_declares_nothing():
    assert declared("%%bash\nx: int = 1") == []


def test_unknown_names_the_nearest():
    assert "did you mean 'minutes'?" in str(unknown("minuts", ["seed", "minutes"], "a.ipynb"))
    assert str(unknown("zzz", [], "a.ipynb")) == "a.ipynb has no parameter 'zzz'. It declares none"
