"""Leases of addresses: on the server of the tests, which keeps the conditions of S3."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest
from helpers.store_server import StoreServer
from moto.s3.models import s3_backends

from foundation.storage import lease_in_store, lease_renewal
from foundation.storage.lease_in_store import LeaseInStore
from foundation.storage.lease_record import LEASE, STALE_S, own_record
from foundation.storage.leases import LeaseHeldError, LeaseLostError, held, holder_of
from foundation.storage.locations import location


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_in_store, "_SETTLE_S", 0.1)


def _age(address: Path, seconds: float) -> None:
    """Make the server believe that it wrote the lease some time ago."""
    bucket, _, folder = str(address).removeprefix("s3://").partition("/")
    (backend,) = (one["global"] if "global" in one else one["aws"] for one in s3_backends.values())
    key = backend.get_object(bucket, f"{folder}/{LEASE}")
    now = datetime.now(UTC)
    key.last_modified = datetime.fromtimestamp(now.timestamp() - seconds, key.last_modified.tzinfo)


def test_an_address_has_one_holder_too_and_nothing_of_it_is_left(bucket: Path) -> None:
    with held(bucket / "talks", "gaia-curate run") as lease:
        lease.require()
        lease.token.require()
        assert holder_of(bucket / "talks").key == lease.token.token
        with pytest.raises(LeaseHeldError, match="`gaia-curate run` on host"), held(bucket / "talks", "x"):
            pass
    assert list(bucket.iterdir()) == []
    assert holder_of(bucket / "talks") is None


def test_a_lease_costs_a_few_requests_and_three_a_minute(bucket: Path, s3: StoreServer) -> None:
    s3.forget()
    with held(bucket / "talks", "gaia-curate run") as lease:
        begun = len(s3.requests)
        lease._file.renew(lease._record)
        assert len(s3.requests) == begun + 1
        lease.require()
        assert len(s3.requests) == begun + 1
    assert len(s3.requests) <= 8
    assert lease_renewal._RENEW_REMOTE_S >= 20


def test_an_old_lease_in_a_store_is_taken_over_and_its_holder_learns_of_it(
    bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_renewal, "_TRUSTED_S", 0.0)
    with held(bucket / "talks", "gaia-curate run") as first:
        _age(bucket / "talks", STALE_S + 5)
        with held(bucket / "talks", "gaia-curate forget") as second:
            with pytest.raises(LeaseLostError, match="held by `gaia-curate forget`"):
                first.require()
            assert not first._file.renew(first._record)
            first.release()
            second.require()
            second.token.require()


def test_what_was_judged_before_a_renewal_is_not_taken_over(bucket: Path) -> None:
    file, record = LeaseInStore(bucket / "talks"), own_record("gaia-curate run")
    assert file.create(record)
    seen = LeaseInStore(bucket / "talks").read()
    assert file.renew(record)
    assert not LeaseInStore(bucket / "talks").replace(seen, own_record("gaia-curate forget"))
    file.remove(record)
    assert list(bucket.iterdir()) == []


@pytest.mark.parametrize("there", [False, True])
def test_of_many_processes_one_gets_the_lease_of_an_address(
    bucket: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.setattr(lease_in_store, "_SETTLE_S", 1.0)
    folder, n = bucket / "talks", 4
    if there:
        (folder / LEASE).write_text(json.dumps({"format": "another"}), encoding="utf-8")
    together = Barrier(n)

    def take(_: int) -> bool:
        file, record = LeaseInStore(folder), own_record("gaia-curate run")
        seen = file.read()
        together.wait()
        return file.create(record) if seen is None else file.replace(seen, record)

    with ThreadPoolExecutor(n) as threads:
        assert sum(threads.map(take, range(n))) == 1


@pytest.mark.usefixtures("s3")
def test_a_store_that_cannot_be_written_is_told_as_such() -> None:
    with pytest.raises(OSError, match="no-such-bucket"), held(location("s3://no-such-bucket/x"), "gaia-curate run"):
        pass
