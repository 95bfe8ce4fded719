"""An echo server on port 9000, TCP and UDP; with an address, 100 clients of each of it."""
import asyncio, os, sys


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def server():
    await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=("0.0.0.0", 9000))
    await (await asyncio.start_server(echo, "0.0.0.0", 9000, backlog=200)).serve_forever()


async def stream(addr, i):
    reader, writer = await asyncio.open_connection(addr, 9000)
    data = os.urandom(1000 * i)

    async def send():
        writer.write(data)
        await writer.drain()
        writer.write_eof()
    got = (await asyncio.gather(reader.read(-1), send()))[0]
    writer.close()
    return got == data


async def datagram(addr, i):
    loop, answer = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    class Ask(asyncio.DatagramProtocol):
        def datagram_received(self, data, addr):
            answer.done() or answer.set_result(data)
    transport, _ = await loop.create_datagram_endpoint(Ask, remote_addr=(addr, 9000))
    for _ in range(10):
        transport.sendto(b"%d" % i * 100)
        if (await asyncio.wait([answer], timeout=1))[0]:
            break
    transport.close()
    return answer.done() and answer.result() == b"%d" % i * 100


async def clients(addr):
    streams = await asyncio.gather(*(stream(addr, i) for i in range(100)))
    datagrams = await asyncio.gather(*(datagram(addr, i) for i in range(100)))
    print(f"{sum(streams)} connections, {sum(datagrams)} datagrams")


asyncio.run(clients(sys.argv[1]) if len(sys.argv) > 1 else server())
