import pytest
from sqlalchemy import text

from sightline.jobs.sql.database import Database
from sightline.service.audit import Action, AuditEntry, AuditLog
from sightline.service.keys import KeyStore, UnknownKeyError
from sightline.service.owner import KeyLimits, Owner, Scope


@pytest.fixture
def database(tmp_path):
    with Database(f"sqlite:///{tmp_path / 'jobs.sqlite'}") as database:
        database.migrate()
        yield database


@pytest.fixture
def keys(database):
    return KeyStore(database)


def test_a_key_is_found_by_its_secret_with_all_that_was_given(keys):
    limits = KeyLimits(active_jobs=3, video_s_per_day=60.0)
    new = keys.create("gate", scopes=[Scope.READ, Scope.WRITE], limits=limits, now_s=1.0)
    found = keys.find(new.secret, now_s=2.0)
    assert found.owner == new.key.owner
    assert found.owner.limits == limits
    assert found.owner.scopes == {Scope.READ, Scope.WRITE}
    assert keys.get_active(found.owner.id).last_used_at == 2.0


def test_the_secret_has_256_bits_and_is_nowhere_in_the_database(keys, database):
    new = keys.create("gate", scopes=[Scope.READ], now_s=1.0)
    assert new.secret.startswith("sl_")
    assert len(new.secret) >= len("sl_") + 43
    assert new.secret not in repr(new)
    with database.read() as connection:
        row = connection.execute(text("SELECT * FROM keys")).one()
    assert new.secret not in str(row)
    assert new.secret.removeprefix("sl_") not in str(row)


def test_a_wrong_secret_finds_nothing(keys):
    new = keys.create("gate", scopes=[Scope.READ], now_s=1.0)
    for wrong in ("", "sl_", new.secret[:-1], new.secret + "A", new.secret.upper(), "' OR 1=1 --"):
        assert keys.find(wrong, now_s=2.0) is None


def test_a_revoked_key_is_of_no_use_and_still_listed(keys):
    new = keys.create("gate", scopes=[Scope.READ], now_s=1.0)
    keys.revoke(new.key.owner.id, now_s=5.0)
    keys.revoke(new.key.owner.id, now_s=6.0)
    assert keys.find(new.secret, now_s=7.0) is None
    assert keys.get_active(new.key.owner.id) is None
    assert [key.revoked_at for key in keys.list()] == [5.0]
    assert not keys.any_active()
    assert keys.any_ever()


def test_making_and_revoking_keys_is_recorded_without_their_secrets(keys, database):
    new = keys.create("gate", scopes=[Scope.READ], now_s=1.0)
    keys.revoke(new.key.owner.id, now_s=5.0)
    keys.revoke(new.key.owner.id, now_s=6.0)
    entries = AuditLog(database).list()
    assert [(entry.action, entry.at) for entry in entries] == [
        (Action.REVOKE_KEY, 5.0),
        (Action.CREATE_KEY, 1.0),
    ]
    assert {entry.object for entry in entries} == {new.key.owner.id}
    assert new.secret not in str(entries)


def test_an_unknown_key_cannot_be_revoked(keys):
    with pytest.raises(UnknownKeyError, match="keys list"):
        keys.revoke("nothing", now_s=1.0)


def test_without_keys_there_are_none(keys):
    assert not keys.any_active()
    assert not keys.any_ever()
    assert list(keys.list()) == []


def test_the_use_is_noted_once_a_minute_only(keys):
    new = keys.create("gate", scopes=[Scope.READ], now_s=1.0)
    for now_s in (10.0, 30.0, 69.0):
        keys.find(new.secret, now_s=now_s)
    assert keys.list()[0].last_used_at == 10.0
    keys.find(new.secret, now_s=70.0)
    assert keys.list()[0].last_used_at == 70.0


@pytest.mark.parametrize(("name", "scopes"), [("", [Scope.READ]), (" ", [Scope.READ]), ("a", [])])
def test_a_key_needs_a_name_and_a_scope(keys, name, scopes):
    with pytest.raises(ValueError, match="needs a name"):
        keys.create(name, scopes=scopes, now_s=1.0)


@pytest.mark.parametrize(
    "limits", [{"active_jobs": 0}, {"upload_bytes": -1}, {"video_s_per_day": float("nan")}]
)
def test_limits_that_allow_nothing_are_refused(limits):
    with pytest.raises(ValueError, match="must be"):
        KeyLimits(**limits)


def test_an_administrator_may_everything_and_sees_everybody():
    owner = Owner(id="a", name="a", scopes=frozenset({Scope.ADMIN}))
    assert all(owner.may(scope) for scope in Scope)
    assert owner.sees("b")


def test_the_audit_log_lists_the_newest_first(database):
    log = AuditLog(database)
    entries = [
        AuditEntry(
            at=float(at), owner="o", action=Action.SUBMIT, object=f"job {at}", detail={"a": at}
        )
        for at in range(5)
    ]
    for entry in entries:
        log.record(entry)
    assert list(log.list(limit=2)) == [entries[4], entries[3]]
    assert list(log.list(before_s=2.0)) == [entries[1], entries[0]]
