"""A service that ends as told: `python announced.py WAY`. It prints `ready` if it waits for a signal."""

import asyncio
import faulthandler
import os
import signal
import sys
import threading
import time

from choria_lifecycle.service.service import Service

WAY = sys.argv[1]


def service() -> Service:
    return Service(WAY, "1.0.0", "n1.example.net", timeout=10)


def wait() -> None:
    print("ready", flush=True)
    rest()


def rest() -> None:
    while True:  # short sleeps: a signal that arrives just before a blocking call is handled only after it
        time.sleep(0.05)


async def wait_async() -> None:
    print("ready", flush=True)
    while True:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.05)


def synchronous() -> None:
    with service():
        match WAY:
            case "exception":
                raise ValueError("on purpose")
            case "exit":
                sys.exit(7)
            case "sigterm" | "sigint" | "sighup":
                wait()
            case "sigterm-handled":
                signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(9))
                wait()


def started() -> None:
    if WAY == "started-after-thread":
        threading.Thread(target=Service("other", "1.0.0", "n1.example.net", timeout=10).start).start()
    service().start()
    match WAY:
        case "started-exception":
            raise ValueError("on purpose")
        case "started-exit":
            sys.exit(7)
        case "started-sigterm" | "started-sigint" | "started-after-thread":
            wait()
        case "started-dump":
            print("ready", flush=True)
            rest()
        case "started-fork":
            child = os.fork()
            if not child:
                sys.exit(3)  # announces nothing for the parent's service
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        case "started-fork-sigterm":
            begun, begin = os.pipe()
            child = os.fork()
            if not child:
                os.write(begin, b".")
                rest()
            os.read(begun, 1)  # earlier signals are lost, as Python clears them in a forked child
            os.kill(child, signal.SIGTERM)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        case "started-thread":
            threading.Thread(target=time.sleep, args=(0.2,)).start()


def forked() -> None:
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    with service():
        pass


async def asynchronous() -> None:
    async with service():
        match WAY:
            case "async-exception":
                raise ValueError("on purpose")
            case "async-exit":
                sys.exit(7)
            case "async-sigterm" | "async-sigint":
                await wait_async()
            case "async-cancelled":
                asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
                await asyncio.get_running_loop().create_future()
            case "async-cancelled-twice":
                task = asyncio.current_task()
                asyncio.get_running_loop().call_soon(task.cancel)
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    asyncio.get_running_loop().call_soon(task.cancel)
            case "async-handled":
                stop = asyncio.Event()
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
                print("ready", flush=True)
                await stop.wait()
            case "async-loop-stop":
                asyncio.get_running_loop().stop()
                await asyncio.get_running_loop().create_future()


async def abandoned() -> None:
    task = asyncio.create_task(asynchronous_forever(opened := asyncio.Event()))
    await opened.wait()
    assert not task.done()


async def asynchronous_forever(opened: asyncio.Event) -> None:
    async with service():
        opened.set()
        await asyncio.get_running_loop().create_future()


def stopped_loop() -> None:
    loop = asyncio.new_event_loop()
    task = loop.create_task(asynchronous())
    loop.run_forever()
    assert not task.done()
    task._log_destroy_pending = False
    loop.close()


if WAY == "started-dump":
    faulthandler.register(signal.SIGQUIT)
if WAY == "async-loop-stop":
    stopped_loop()
elif WAY == "async-task-abandoned":
    asyncio.run(abandoned())
elif WAY.startswith("async"):
    asyncio.run(asynchronous())
elif WAY == "fork":
    forked()
elif WAY.startswith("started"):
    started()
else:
    synchronous()
