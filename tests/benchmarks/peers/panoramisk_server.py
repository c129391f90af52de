"""panoramisk's FastAGI server doing the same job: look the caller up, set the variables."""

import asyncio

from panoramisk import fast_agi

from tests.benchmarks.peers.common import Directory, arguments


async def main() -> None:
    directory = Directory(arguments())

    async def lookup(request) -> None:
        for name, value in directory.variables(request.headers["agi_callerid"]):
            await request.send_command(f'SET VARIABLE {name} "{value}"')

    application = fast_agi.Application(loop=asyncio.get_running_loop())
    application.add_route("lookup?pbx=main", lookup)
    server = await asyncio.start_server(application.handler, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


with asyncio.Runner() as runner:
    runner.run(main())
