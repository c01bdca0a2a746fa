"""Dagster's web server behind the guard: one process of the UI, started by `pipelines.ui.service_group`."""

import argparse
from collections.abc import Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from dagster import DagsterInstance, __version__
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster_webserver.webserver import DagsterWebserver
from graphql import ASTValidationRule, GraphQLError, OperationDefinitionNode, OperationType

from funnelscope.messages.wording import Words, load_words
from funnelscope.settings import Settings, load_settings
from pipelines.status import read_health
from pipelines.ui.request_guard import RequestGuard, list_own_addresses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MILLISECONDS_BETWEEN_LOOKS = 2000
SECONDS_TO_CLOSE = 5
# Dagster's defaults for a server: milliseconds of a statement, seconds of a connection, connections above the pool.
STORAGE_LIMITS = (15_000, 3_600, 20)


class _ReadingWebserver(DagsterWebserver):
    """A web server whose GraphQL knows no mutation. Dagster checks rights too, but each mutation by itself."""

    def __init__(self, words: Words, *arguments: Any, **options: Any) -> None:
        self._words = words
        super().__init__(*arguments, **options)

    def build_graphql_validation_rules(self) -> Collection[type[ASTValidationRule]]:
        """Dagster's rules, and one that refuses mutations."""
        sentence = self._words.text("ui_refusals", "read_only")

        class _NoMutation(ASTValidationRule):
            def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
                if node.operation is OperationType.MUTATION:
                    self.report_error(GraphQLError(sentence, node))

        return [_NoMutation, *super().build_graphql_validation_rules()]


@asynccontextmanager
async def _end_quietly(_app: Any) -> "AsyncIterator[None]":
    import asyncio

    with suppress(asyncio.CancelledError):  # an interrupted uvicorn cancels the wait for its end
        yield


def serve(address: str, port: int, host_names: Collection[str], workspace: Path, is_read_only: bool) -> None:
    """Serves until interrupted."""
    settings = load_settings()
    words = load_words(settings.language)
    own = list_own_addresses(port, host_names)
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(*STORAGE_LIMITS)
        target = WorkspaceFileTarget([str(workspace)])
        with WorkspaceProcessContext(instance, target, version=__version__, read_only=is_read_only) as context:
            server: DagsterWebserver = (
                _ReadingWebserver(words, context, live_data_poll_rate=MILLISECONDS_BETWEEN_LOOKS)
                if is_read_only
                else DagsterWebserver(context, live_data_poll_rate=MILLISECONDS_BETWEEN_LOOKS)
            )
            guard = RequestGuard(
                server.create_asgi_app(lifespan=_end_quietly),
                own,
                words,
                is_read_only=is_read_only,
                read_health=lambda: _read_public_health(settings),
            )
            uvicorn.run(
                guard,
                host=address,
                port=port,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=SECONDS_TO_CLOSE,
            )


def _read_public_health(settings: Settings) -> dict[str, Any]:
    """Without the reasons, which name files and values: a proxy may leave this address open to monitoring."""
    return {name: value for name, value in read_health(settings).items() if name != "reasons"}


def main() -> None:
    """Reads the arguments that the service group gives, and serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--host-name", action="append", default=[])
    parser.add_argument("--read-only", action="store_true")
    given = parser.parse_args()
    setup_interrupt_handlers()
    serve(given.address, given.port, given.host_name, given.workspace, given.read_only)


if __name__ == "__main__":
    main()
