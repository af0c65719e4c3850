// Clients that mean harm or are broken: each is told or cut off, the others are served, and nothing is left behind.
import { eventually } from '@headrace/testing';
import { FastGrpcServer, type ServerLimits } from '../src';
import { definition, EchoService } from './echo-service';
import {
  call,
  callHeaders,
  END_HEADERS,
  END_STREAM,
  field,
  frame,
  message,
  PREFACE,
  RawClient,
  Type,
  uint32,
} from './raw-client';

const ECHO = '/test.Echo/Echo';
const WAIT = '/test.Echo/Wait';
const MIB = 1_048_576;
const Code = { protocol: 1, flowControl: 3, settingsTimeout: 4, frameSize: 6, refused: 7, cancel: 8, calm: 11 };

let service: EchoService;
let server: FastGrpcServer;
let port: number;
const clients: RawClient[] = [];
const errors: unknown[] = [];

async function start(limits: Partial<ServerLimits> = {}): Promise<void> {
  service = new EchoService();
  server = new FastGrpcServer({ limits, sweepMs: 20, onError: (error) => errors.push(error) });
  server.addService(definition, service.implementation);
  port = await server.listen('127.0.0.1', 0);
}

async function open(options?: Parameters<typeof RawClient.open>[1]): Promise<RawClient> {
  const client = await RawClient.open(port, options);
  clients.push(client);
  return client;
}

/** Somebody else is answered. */
async function othersAreServed(): Promise<void> {
  const other = await open();
  other.send(call(1, ECHO, Buffer.from('good')));
  const { payload } = await other.frame(({ type }) => type === Type.data);
  expect(payload).toEqual(message(Buffer.from('good')));
  other.destroy();
}

afterEach(async () => {
  await othersAreServed();
  for (const client of clients.splice(0)) client.destroy();
  service.release();
  await eventually(() => expect(server.state).toEqual({ connections: 0, calls: 0, bufferedBytes: 0 }));
  await server.close(100);
  expect(errors.splice(0)).toEqual([]);
});

describe('slow loris', () => {
  it('says nothing at all', async () => {
    await start({ handshakeTimeoutMs: 100 });
    expect(await (await open({ silent: true })).goodbye()).toBe(Code.settingsTimeout);
  });

  it('begins a frame and does not end it, a byte at a time', async () => {
    await start({ frameTimeoutMs: 200 });
    const client = await open();
    const bytes = frame(Type.headers, END_HEADERS, 1, callHeaders(ECHO));
    let at = 0;
    const timer = setInterval(() => client.send(bytes.subarray(at, (at += 1))), 10);
    expect(await client.goodbye()).toBe(Code.calm);
    clearInterval(timer);
  });

  it('begins a header block and does not end it', async () => {
    await start({ frameTimeoutMs: 100 });
    const client = await open();
    client.send(frame(Type.headers, 0, 1, callHeaders(ECHO)));
    expect(await client.goodbye()).toBe(Code.calm);
  });

  it('begins a request and does not end it', async () => {
    await start({ requestTimeoutMs: 100 });
    const client = await open();
    client.send(
      frame(Type.headers, END_HEADERS, 1, callHeaders(ECHO)),
      frame(Type.data, 0, 1, message(Buffer.from('x'), 9)),
    );
    expect(await client.resetOf(1)).toBe(Code.cancel);
  });

  it('asks and takes no answer: windows of nothing', async () => {
    await start({ stallTimeoutMs: 100 });
    const client = await open({ settings: Buffer.concat([Buffer.from([0, 4]), uint32(0)]) });
    client.send(call(1, ECHO, Buffer.alloc(100)));
    expect(await client.resetOf(1)).toBe(Code.cancel);
  });

  it('asks for a stream and takes as much as its windows say', async () => {
    await start();
    const client = await open();
    client.send(
      frame(Type.headers, END_HEADERS, 1, callHeaders('/test.Echo/Forever')),
      frame(Type.data, END_STREAM, 1, message(Buffer.from('x'))),
    );
    const taken = (): number =>
      client.frames.reduce((sum, { type, payload }) => sum + (type === Type.data ? payload.length : 0), 0);
    await eventually(() => expect(taken()).toBe(65_535));
    // Sixteen messages and one are ahead of what was taken.
    expect(service.written).toBeLessThanOrEqual(18 * 65_536);
    client.send(frame(Type.windowUpdate, 0, 0, uint32(100_000)), frame(Type.windowUpdate, 0, 1, uint32(50_000)));
    await eventually(() => expect(taken()).toBe(115_535));
  });

  it('asks and takes no answer: a socket that is not read', async () => {
    await start({ stallTimeoutMs: 200 });
    const client = await open({ settings: Buffer.concat([Buffer.from([0, 4]), uint32(2 ** 31 - 1)]) });
    client.send(frame(Type.windowUpdate, 0, 0, uint32(2 ** 30)));
    client.socket.pause();
    client.send(
      frame(Type.headers, END_HEADERS, 1, callHeaders('/test.Echo/Forever')),
      frame(Type.data, END_STREAM, 1, message(Buffer.from('x'))),
    );
    await eventually(() => expect(service.cancelled).toBe(1));
    // What the two sockets hold, and a little.
    expect(service.written).toBeLessThan(64 * MIB);
    await eventually(() => expect(server.state.connections).toBe(0));
  });

  it('is gone without having said so', async () => {
    await start({ keepAliveMs: 100, keepAliveTimeoutMs: 100 });
    const client = await open();
    await client.end();
    expect(client.frames.some(({ type }) => type === Type.ping)).toBe(true);
  });
});

describe('floods', () => {
  it.each([
    ['PING', frame(Type.ping, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', frame(Type.settings, 0, 0)],
    ['PRIORITY', frame(Type.priority, 0, 7, Buffer.from([0, 0, 0, 1, 0]))],
    ['WINDOW_UPDATE', frame(Type.windowUpdate, 0, 0, uint32(1))],
    ['unknown frames', frame(99, 0, 0)],
  ])('%s', async (_name, one) => {
    await start();
    const client = await open();
    client.send(...Array.from({ length: 20_000 }, () => one));
    expect(await client.goodbye()).toBe(Code.calm);
  });

  it('empty DATA', async () => {
    await start();
    const client = await open();
    client.send(frame(Type.headers, END_HEADERS, 1, callHeaders(ECHO)));
    client.send(...Array.from({ length: 20_000 }, () => frame(Type.data, 0, 1)));
    expect(await client.goodbye()).toBe(Code.calm);
  });

  it('PING whose answers are not read', async () => {
    await start({ stallTimeoutMs: 200 });
    const client = await open();
    client.socket.pause();
    const pings = Buffer.concat(Array.from({ length: 5_000 }, () => frame(Type.ping, 0, 0, Buffer.alloc(8))));
    const timer = setInterval(() => client.send(pings), 1);
    await eventually(() => expect(server.state.connections).toBe(0));
    clearInterval(timer);
  });

  it('CONTINUATION without end: by number and by size', async () => {
    await start();
    for (const part of [Buffer.alloc(1, 0x82), Buffer.alloc(16_000, 0x82)]) {
      const client = await open();
      client.send(frame(Type.headers, 0, 1, callHeaders(ECHO)));
      client.send(...Array.from({ length: 40 }, () => frame(Type.continuation, 0, 1, part)));
      expect(await client.goodbye()).toBe(Code.calm);
    }
  });

  it('calls that are taken back at once: rapid reset', async () => {
    await start();
    const client = await open();
    for (let stream = 1; stream < 8_000; stream += 2)
      client.send(call(stream, WAIT, Buffer.alloc(10)), frame(Type.reset, 0, stream, uint32(8)));
    expect(await client.goodbye()).toBe(Code.calm);
    // Calls that are over hold their place until their handlers are done: no more work than of an honest client.
    expect(service.waiting).toBeLessThanOrEqual(512);
    expect(service.cancelled).toBe(service.waiting);
  });

  it('calls that the server is made to reset', async () => {
    await start();
    const client = await open();
    for (let stream = 1; stream < 8_000; stream += 2)
      client.send(
        frame(Type.headers, END_HEADERS, stream, callHeaders(WAIT)),
        frame(Type.windowUpdate, 0, stream, uint32(0)),
      );
    expect(await client.goodbye()).toBe(Code.calm);
  });

  it('more calls at once than were offered', async () => {
    await start({ maxConcurrentStreams: 10 });
    const client = await open();
    for (let stream = 1; stream < 40; stream += 2) client.send(call(stream, WAIT, Buffer.alloc(1)));
    expect(await client.resetOf(21)).toBe(Code.refused);
    await eventually(() => expect(service.waiting).toBe(10));
  });
});

describe('sizes', () => {
  it('headers beyond the bound are an answer, not the end of the connection', async () => {
    await start();
    const client = await open();
    const large = Buffer.concat([callHeaders(ECHO), field('x', 'y'.repeat(9_000)), field('x', 'z'.repeat(9_000))]);
    client.send(
      frame(Type.headers, END_STREAM, 1, large.subarray(0, 10_000)),
      frame(Type.continuation, END_HEADERS, 1, large.subarray(10_000)),
      call(3, ECHO, Buffer.from('next')),
    );
    expect(await client.trailersOf(1)).toContain('headers beyond 16384 bytes');
    expect((await client.frame(({ stream, type }) => stream === 3 && type === Type.data)).payload.toString()).toContain(
      'next',
    );
  });

  it('a header of the table repeated without end', async () => {
    await start();
    const client = await open();
    const entry = Buffer.concat([Buffer.from([0x40, 1, 0x61, 127, 0x81, 23]), Buffer.alloc(3_072, 'x')]);
    const bomb = Buffer.concat([callHeaders(ECHO), entry, Buffer.alloc(10_000, 0xbe)]);
    client.send(frame(Type.headers, END_HEADERS | END_STREAM, 1, bomb));
    expect(await client.trailersOf(1)).toContain('headers beyond');
  });

  it('a compressed message is not even unpacked', async () => {
    await start();
    const client = await open();
    client.send(
      frame(Type.headers, END_HEADERS, 1, callHeaders(ECHO, { 'grpc-encoding': 'gzip' })),
      frame(Type.data, 0, 1, Buffer.concat([Buffer.from([1]), uint32(1_000), Buffer.alloc(100)])),
    );
    expect(await client.trailersOf(1)).toContain('identity');
  });

  it('a message that announces too much, before it is sent', async () => {
    await start();
    const client = await open();
    client.send(
      frame(Type.headers, END_HEADERS, 1, callHeaders(ECHO)),
      frame(Type.data, 0, 1, message(Buffer.alloc(10), 2 ** 32 - 1)),
    );
    expect(await client.trailersOf(1)).toContain('larger than max');
  });

  it('unfinished messages hold what was sent, not what was announced, and share a bound', async () => {
    await start({ maxConnectionBufferedBytes: 2 * MIB });
    const client = await open();
    const part = Buffer.alloc(16_000);
    for (let stream = 1; stream < 400; stream += 2)
      client.send(
        frame(Type.headers, END_HEADERS, stream, callHeaders(ECHO)),
        frame(Type.data, 0, stream, message(part, 15 * MIB)),
      );
    expect(await client.trailersOf(399)).toContain('too many unfinished messages');
    expect(server.state.bufferedBytes).toBeGreaterThan(MIB);
    expect(server.state.bufferedBytes).toBeLessThanOrEqual(2 * MIB);
  });

  it('more than the windows allow', async () => {
    await start({ streamWindowBytes: 65_535, connectionWindowBytes: 200_000 });
    const client = await open();
    client.send(frame(Type.headers, END_HEADERS, 1, callHeaders('/test.Echo/RefuseBoth')));
    await client.trailersOf(1);
    client.send(frame(Type.headers, END_HEADERS, 3, callHeaders('/test.Echo/Forever')));
    client.send(...Array.from({ length: 5 }, () => frame(Type.data, 0, 3, message(Buffer.alloc(16_000), 15 * MIB))));
    await client.frame(({ type, stream }) => stream === 3 && (type === Type.reset || type === Type.windowUpdate));
    const enlarged = await open();
    enlarged.send(frame(Type.windowUpdate, 0, 0, uint32(2 ** 31 - 1)));
    expect(await enlarged.goodbye()).toBe(Code.flowControl);
  });
});

describe('nonsense', () => {
  it('ten thousand conversations with mistakes in them, beside an honest one', async () => {
    await start();
    let state = 2_147;
    const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
    const good = Buffer.concat([
      PREFACE,
      frame(Type.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(70_000)])),
      frame(Type.headers, 0, 1, callHeaders(ECHO).subarray(0, 20)),
      frame(Type.continuation, END_HEADERS, 1, callHeaders(ECHO).subarray(20)),
      frame(Type.data, END_STREAM, 1, message(Buffer.alloc(30, 'q'))),
      call(3, '/test.Echo/Both', Buffer.alloc(40)),
      call(5, '/test.Echo/Count', Buffer.from('5')),
      frame(Type.headers, END_HEADERS | 0x20, 7, Buffer.concat([uint32(3), Buffer.from([1]), callHeaders(ECHO)])),
      frame(Type.reset, 0, 7, uint32(8)),
      frame(Type.ping, 0, 0, Buffer.alloc(8)),
      frame(Type.windowUpdate, 0, 0, uint32(1_000)),
    ]);
    const one = async (): Promise<void> => {
      const bytes = Buffer.from(good);
      // A third spare the preface and settings, so that the mistakes reach what lies behind.
      const from = random(3) === 0 ? 0 : 39;
      for (let changes = 1 + random(6); changes > 0; changes -= 1)
        bytes[from + random(bytes.length - from)] = random(256);
      const client = await RawClient.open(port, { silent: true });
      client.send(random(4) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes);
      client.socket.end();
      await client.end();
    };
    const honest = await open();
    let answered = 0;
    for (let round = 0; round < 200; round += 1) {
      honest.send(call(2 * round + 1, ECHO, Buffer.from(`honest ${round}`)));
      await Promise.all(Array.from({ length: 50 }, one));
      const { payload } = await honest.frame(({ type, stream }) => type === Type.data && stream === 2 * round + 1);
      if (payload.equals(message(Buffer.from(`honest ${round}`)))) answered += 1;
    }
    expect(answered).toBe(200);
  });
});
