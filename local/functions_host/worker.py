"""Loading the app, and invoking its functions."""

from __future__ import annotations

import asyncio
import contextvars
import importlib.util
import logging
import sys
import threading
import traceback
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

from azure.functions import Context, FunctionRegister
from azure.functions.meta import Datum

from local.functions_host.bindings import (
    BindingError,
    Function,
    decode_argument,
    encode_result,
    index_function,
)

log = logging.getLogger(__name__)

APP_FILE = "function_app.py"
_ORCHESTRATOR_THREADS = 2


class AppLoadError(Exception):
    """The app cannot be loaded. The message is the line that says why, `details` the traceback."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class InvocationFailed(Exception):
    """A function's code raised, or ran into its time limit.

    The message is 'Type: message', as the worker reports it to the host; `details` the traceback.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class Worker:
    """The app's functions, synchronous ones on threads and asynchronous ones on the event loop."""

    def __init__(
        self,
        app_dir: Path,
        functions: list[Function],
        *,
        threads: int,
        timeout: float | None,
    ) -> None:
        self.functions = {function.name: function for function in functions}
        self.abandoned_threads = 0
        self._app_dir = app_dir
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="function")
        # Replaying must go on when every thread is held by a long activity.
        self._orchestrator_threads = ThreadPoolExecutor(
            _ORCHESTRATOR_THREADS, thread_name_prefix="orchestrator"
        )

    @classmethod
    def load(
        cls,
        app_dir: Path,
        *,
        threads: int,
        timeout: float | None,
        disabled: Callable[[str], bool] = lambda _: False,
    ) -> Worker:
        """Import function_app.py and index its functions. Raises AppLoadError.

        `timeout` is the time limit of an invocation in seconds, None for no limit. `disabled`
        tells by name which functions are switched off.
        """
        app = _find_app(_import_app(app_dir / APP_FILE))
        try:
            functions = [index_function(registered) for registered in app.get_functions()]
        except BindingError as error:
            raise AppLoadError(str(error)) from error
        except Exception as error:
            raise AppLoadError(
                f"{type(error).__name__}: {error}", traceback.format_exc()
            ) from error
        enabled = [function for function in functions if not disabled(function.name)]
        return cls(app_dir, enabled, threads=threads, timeout=timeout)

    def of_type(self, trigger_type: str) -> list[Function]:
        """The functions with this trigger."""
        return [f for f in self.functions.values() if f.trigger_type == trigger_type]

    async def invoke(
        self,
        function: Function,
        datum: Datum,
        *,
        client: str | None = None,
        trigger_metadata: Mapping[str, Datum] | None = None,
    ) -> Datum | None:
        """Call a function with its trigger's data and return what it returned.

        `client` is the JSON that a durable client is made of. Raises InvocationFailed.
        """
        invocation_id = str(uuid.uuid4())
        limit = asyncio.timeout(self._timeout)
        try:
            arguments = {
                function.trigger["name"]: decode_argument(function, datum, trigger_metadata),
                **dict.fromkeys(function.client_parameters, client),
            }
            if function.wants_context:
                arguments["context"] = InvocationContext(
                    function.name, str(self._app_dir), invocation_id
                )
            async with limit:
                if function.is_async:
                    result = await function.code(**arguments)
                else:
                    result = await self._run_on_thread(function, arguments)
            return encode_result(function, result)
        except Exception as error:
            if limit.expired():
                message = (
                    f"Timeout: function '{function.name}' exceeded {self._timeout:g} s "
                    f"(invocation {invocation_id})"
                )
                log.error("%s", message)
                raise InvocationFailed(message) from error
            raise InvocationFailed(
                f"{type(error).__name__}: {error}", traceback.format_exc()
            ) from error

    async def _run_on_thread(self, function: Function, arguments: dict[str, Any]) -> Any:
        pool = (
            self._orchestrator_threads
            if function.trigger_type == "orchestrationTrigger"
            else self._threads
        )
        context = contextvars.copy_context()
        work = pool.submit(lambda: context.run(function.code, **arguments))
        try:
            return await asyncio.shield(asyncio.wrap_future(work))
        except asyncio.CancelledError:
            if not work.cancel():
                # A thread cannot be stopped: its work goes on, and its result counts for nothing.
                self.abandoned_threads += 1
                work.add_done_callback(self._thread_returned)
                log.warning(
                    "function '%s' goes on in its thread after its invocation was given up "
                    "(%d such threads)",
                    function.name,
                    self.abandoned_threads,
                )
            raise

    def _thread_returned(self, _: Future[Any]) -> None:
        self.abandoned_threads -= 1

    def close(self) -> None:
        """Take no more work. Threads that still run are left to end with the process."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._orchestrator_threads.shutdown(wait=False, cancel_futures=True)


class InvocationContext(Context):
    """What a function's `context` parameter gives."""

    _thread_local = threading.local()

    def __init__(self, function_name: str, function_directory: str, invocation_id: str) -> None:
        self._function_name = function_name
        self._function_directory = function_directory
        self._invocation_id = invocation_id

    @property
    def invocation_id(self) -> str:
        """Id of this invocation."""
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        """Storage of the thread the function runs on."""
        return self._thread_local

    @property
    def function_name(self) -> str:
        """Name of the function."""
        return self._function_name

    @property
    def function_directory(self) -> str:
        """Directory of the app."""
        return self._function_directory

    @property
    def trace_context(self) -> Any:
        """The local host does not trace."""
        return None

    @property
    def retry_context(self) -> Any:
        """The local host does not retry by function policies."""
        return None


def _import_app(path: Path) -> ModuleType:
    if not path.exists():
        raise AppLoadError(f"{path} does not exist: is this a function app?")
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise AppLoadError(
            f"{frame.filename}:{frame.lineno}: {type(error).__name__}: {error}",
            traceback.format_exc(),
        ) from error
    return module


def _find_app(module: ModuleType) -> FunctionRegister:
    apps = {id(v): v for v in vars(module).values() if isinstance(v, FunctionRegister)}
    if len(apps) != 1:
        raise AppLoadError(
            f"{APP_FILE} must have exactly one FunctionApp at its top level; it has {len(apps)}"
        )
    return next(iter(apps.values()))
