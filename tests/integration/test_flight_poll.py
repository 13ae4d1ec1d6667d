"""PollFlightInfo: a statement while it runs and when it is over, and a dataset.

SPDX-License-Identifier: Apache-2.0
"""
import json

import grpc
import pytest
from dataset_calls import get, name, numbers, path, put
from flight_calls import CANCELLED, Poll, cancel, command_descriptor, path_descriptor
from flight_sql import query_descriptor
from harness import COMPUTING, STREAMING, wait_until


def test_poll_of_a_statement(server, flight):
    sql = COMPUTING.format(mark="polled_statement")
    first = Poll(server, command_descriptor(json.dumps({"sql": sql})))
    assert first.descriptor is not None and first.info.total_records == -1
    second = Poll(server, first.descriptor)
    assert second.descriptor == first.descriptor
    assert [endpoint.ticket for endpoint in second.info.endpoints] == [
        endpoint.ticket for endpoint in first.info.endpoints]
    assert second.progress is None or 0 <= second.progress <= 1
    assert server.running("polled_statement")
    assert cancel(flight, second.info) == CANCELLED
    with pytest.raises(grpc.RpcError) as stopped:
        Poll(server, first.descriptor)
    assert stopped.value.code() == grpc.StatusCode.CANCELLED


def test_poll_to_the_end(server, flight):
    descriptor = command_descriptor(query_descriptor("SELECT i FROM range(1000) t(i)").command)
    poll = Poll(server, descriptor)
    while poll.descriptor is not None:
        poll = Poll(server, poll.descriptor)
    assert poll.progress == 1 and poll.info.total_records == 1000
    assert get(flight, poll.info.endpoints[0].ticket).num_rows == 1000


def test_poll_of_an_update(server):
    table = name("polled").replace("-", "_")
    sql = f"CREATE TABLE {table} AS SELECT i FROM range(17) t(i)"
    poll = Poll(server, command_descriptor(query_descriptor(sql).command))
    while poll.descriptor is not None:
        poll = Poll(server, poll.descriptor)
    assert server.value(f"SELECT count(*) FROM {table}") == 17


def test_poll_while_the_result_grows(server, flight):
    poll = Poll(server, command_descriptor(STREAMING.format(mark="polled_stream")))
    assert poll.descriptor is not None
    reader = flight.do_get(poll.info.endpoints[0].ticket)
    assert reader.read_chunk().data.num_rows > 0
    assert Poll(server, poll.descriptor).descriptor is not None
    reader.cancel()
    wait_until(lambda: not server.running("polled_stream"), what="the end of the abandoned statement")


def test_poll_of_a_dataset_is_complete_at_once(server, flight):
    place = name()
    put(flight, path(place), numbers(0, 12))
    poll = Poll(server, path_descriptor(place))
    assert poll.descriptor is None and poll.progress == 1
    assert poll.info.total_records == 12
    assert get(flight, poll.info.endpoints[0].ticket).equals(numbers(0, 12))


def test_poll_of_nothing(server):
    for descriptor, code in ((path_descriptor(name()), grpc.StatusCode.NOT_FOUND),
                             (command_descriptor("SELECT nothing"), grpc.StatusCode.INVALID_ARGUMENT)):
        with pytest.raises(grpc.RpcError) as refused:
            Poll(server, descriptor)
        assert refused.value.code() == code
