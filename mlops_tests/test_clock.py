"""The fixed today of the tests, here and in what they start."""

import datetime as dt
import os
import sqlite3
import subprocess
import sys
import time

import pandas as pd
import pytest
import time_machine

from mlops_assets.project import load_project
from mlops_tests import clock

SHIFT = int(os.environ[clock.SHIFT])
TODAY = os.environ.get(clock.CHOSEN, clock.TODAY)

SAID = """
import datetime, sqlite3, time
with sqlite3.connect(":memory:") as database:
    [[stored]] = database.execute("select current_timestamp").fetchall()
print(datetime.date.today(), datetime.datetime.now().date(), stored[:10], time.time())
"""
UNREACHABLE = """
import asyncio, grpc, grpc.aio, time
started = time.monotonic()
try:
    grpc.channel_ready_future(grpc.insecure_channel("127.0.0.1:9")).result(timeout=1)
except grpc.FutureTimeoutError:
    print("ready", time.monotonic() - started)
started = time.monotonic()
call = grpc.insecure_channel("127.0.0.1:9").unary_unary("/a/b", _registered_method=True)
try:
    call(b"", timeout=1, wait_for_ready=True)
except grpc.RpcError as error:
    print(error.code().name, time.monotonic() - started)

async def wait():
    async with grpc.aio.insecure_channel("127.0.0.1:9") as channel:
        await channel.unary_unary("/a/b")(b"", timeout=1, wait_for_ready=True)

started = time.monotonic()
try:
    asyncio.run(wait())
except grpc.aio.AioRpcError as error:
    print(error.code().name, time.monotonic() - started)
"""


ANSWERED = """
import concurrent.futures, grpc

class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)

server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
server.add_generic_rpc_handlers((Echo(),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
call = grpc.insecure_channel(f"127.0.0.1:{port}").unary_unary("/a/b")
print(call(b"heard", timeout=20).decode())
server.stop(None)
"""


def run(script: str, **environment: str) -> list[str]:
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split()


def test_it_is_the_chosen_day_everywhere() -> None:
    now = dt.datetime.now(dt.UTC)
    assert str(now.date()) == str(dt.date.today()) == str(pd.Timestamp.now("UTC").date()) == TODAY
    assert load_project().today() == now.date()
    *days, seconds = run(SAID)
    assert days == [TODAY] * 3
    assert 0 < float(seconds) - now.timestamp() < 60
    real = time_machine.escape_hatch.time.time()
    assert abs(time.time() - real - SHIFT) < 0.1


def test_sqlite_fills_in_the_same_time() -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table runs (id int, created timestamp default current_timestamp)")
        database.execute("insert into runs (id) values (1)")
        [[created]] = database.execute("select created from runs").fetchall()
    then = dt.datetime.fromisoformat(created).replace(tzinfo=dt.UTC)
    assert abs(then - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=5)


@pytest.mark.long
def test_grpc_waits_as_long_as_it_is_told() -> None:
    told = run(UNREACHABLE)
    assert told[::2] == ["ready", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"]
    assert all(0.9 < float(seconds) < 10 for seconds in told[1::2]), told


@pytest.mark.parametrize("shift", ["-86400", "86400"])
def test_grpc_answers_in_the_past_and_in_the_future(shift: str) -> None:
    assert run(ANSWERED, **{clock.SHIFT: shift}) == ["heard"]
