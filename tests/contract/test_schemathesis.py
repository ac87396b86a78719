"""Requests that nobody would write by hand, made from the contract: the emulator answers each as the contract says."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread

BOUNDED = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    state = tmp_path_factory.mktemp("server") / "state.sqlite3"
    with EmulatorThread(EmulatorSettings(state_file=state, latency=0, shared_clips=True)) as emulator:
        yield emulator


def survives(case, base_url: str, checks) -> None:
    response = case.call(base_url=base_url, headers={"authorization": "Bearer sk-1"})
    if response.status_code == 200:
        case.validate_response(response, checks=checks)
        return
    assert 400 <= response.status_code < 500, response.text
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}


def test_every_operation_survives_any_request(contract, server, subtests):
    # Imported here, as it takes a second that every process of the tests would spend.
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

    checks = [not_a_server_error, response_schema_conformance, content_type_conformance]
    # Our own loop: its pytest plugin collects before a fixture can say that there is no contract.
    for found in schemathesis.openapi.from_dict(contract).get_all_operations():
        operation = found.ok()
        with subtests.test(operation.label):
            BOUNDED(given(case=operation.as_strategy())(lambda case: survives(case, server.base_url, checks)))()
    assert server.ledger()["jobs"], "every request was refused, so that no answer was looked at"
