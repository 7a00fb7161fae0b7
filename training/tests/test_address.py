"""A wrong address of a server is shown as it was written, and never with a password."""

import pytest

from labelstream_train import address, settings
from labelstream_train.errors import UserError


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("127.0.0.1:25000", "http://127.0.0.1:25000"), ("localhost:5000", "http://localhost:5000"),
        ("mlflow.example.org", "http://mlflow.example.org"), ("mlflow:5000/path", "http://mlflow:5000/path"),
        ("[::1]:5000", "http://[::1]:5000"), ("mlruns", None), ("file:///tmp/mlruns", None), ("sqlite:///x.db", None),
        ("http://", None), ("http://host:port", None), ("http://[::1", None), ("http://a b", None), ("", None),
        ("models:/intents@champion", None),
    ],
)  # fmt: skip
def test_a_wrong_address_is_shown_with_what_was_meant(given, meant):
    said = address.fault(given)
    assert said.startswith(f"{given!r}: expected http://HOST:PORT")
    assert (f"did you mean {meant}?" in said) if meant else "did you mean" not in said
    for key in ("register.registry", "run.tracking"):
        section, _, name = key.partition(".")
        with pytest.raises(UserError) as error:
            settings.check({section: {name: given}})
        assert f"{key}: {given!r}: expected http://HOST:PORT" in str(error.value) and "None" not in str(error.value)


@pytest.mark.parametrize("given", ["http://127.0.0.1:5000", "https://mlflow.example.org/path", "http://[::1]:5000"])
def test_right_addresses_are_taken(given):
    assert address.fault(given) is None
    assert settings.check({"register": {"registry": given}}).register.registry == given


@pytest.mark.parametrize("given", ["http://ada:secret@host:5000", "ada:secret@host:5000", "https://secret@host"])
def test_a_password_is_never_shown(given):
    with pytest.raises(UserError) as error:
        settings.check({"register": {"registry": given}, "run": {"tracking": given}})
    assert "secret" not in str(error.value) and "***@host" in str(error.value)
