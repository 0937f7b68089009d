"""The commands on wrong arguments: one line that says what is wrong, no traceback."""

import pytest

import refnet.__main__
import refnet.testing.__main__
import refnet_fast.bench.__main__


@pytest.mark.parametrize(
    ("main", "arguments", "message"),
    [
        (refnet.__main__.main, ["explain", "mtmul"], "there is no primitive 'mtmul'. Did you mean 'matmul'?"),
        (
            refnet.__main__.main,
            ["explain", "matmul", "--at", "9,9"],
            "an index of a result of shape (2, 3); got '9,9'.",
        ),
        (refnet.__main__.main, ["explain", "matmul", "--at", "a"], "an index of a result of shape (2, 3); got 'a'."),
        (refnet.__main__.main, ["ops", "mtmul"], "unknown op 'mtmul'. Did you mean 'matmul'"),
        (refnet.testing.__main__.main, ["nothing.py"], "there is no file nothing.py"),
        (refnet.testing.__main__.main, ["no.such.module"], "No module named 'no'"),
        (refnet.testing.__main__.main, ["math", "matmul"], "math has no function 'matmul'"),
        (refnet.testing.__main__.main, ["math", "--examples", "0"], "--examples must be at least 1; got 0"),
        (refnet_fast.bench.__main__.main, ["--rounds", "0"], "--rounds must be at least 1; got 0"),
    ],
)
def test_a_wrong_argument_is_named(main, arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and message in capsys.readouterr().err
