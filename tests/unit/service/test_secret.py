import base64
import stat

import pytest

from sightline.service.secret import SecretError, ServerSecret, load_secret


def test_the_secret_is_made_once_and_for_its_owner_alone(tmp_path):
    first = load_secret(tmp_path / "data")
    assert load_secret(tmp_path / "data") == first
    assert len(first.current) == 32
    assert first.previous is None
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["server.secret"]
    assert stat.S_IMODE((tmp_path / "data" / "server.secret").stat().st_mode) == 0o600


def test_a_secret_that_others_may_read_is_refused(tmp_path):
    load_secret(tmp_path)
    (tmp_path / "server.secret").chmod(0o640)
    with pytest.raises(SecretError, match="chmod 600"):
        load_secret(tmp_path)


def test_a_secret_that_is_cut_off_is_refused(tmp_path):
    load_secret(tmp_path)
    (tmp_path / "server.secret").write_bytes(b"short")
    with pytest.raises(SecretError, match="holds 5 bytes"):
        load_secret(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SecretError, match="choose a data folder"):
        load_secret(tmp_path / "file" / "data")


def test_the_replaced_secret_still_counts(tmp_path):
    old = load_secret(tmp_path)
    (tmp_path / "server.secret").rename(tmp_path / "server.secret.previous")
    new = load_secret(tmp_path)
    assert new.previous == old.current != new.current
    assert new.webhook_secrets("a")[1:] == old.webhook_secrets("a")


def test_each_owner_has_a_webhook_secret_of_its_own():
    secret = ServerSecret(current=b"x" * 32)
    (one,), (other,) = secret.webhook_secrets("a"), secret.webhook_secrets("b")
    assert one != other
    assert one.startswith("whsec_")
    assert len(base64.b64decode(one.removeprefix("whsec_"))) == 32


def test_the_secret_does_not_show_when_it_is_printed():
    assert "xxxx" not in repr(ServerSecret(current=b"x" * 32))
