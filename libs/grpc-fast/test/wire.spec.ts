// What stands on the wire, frame by frame, where clients of libraries do not show it.
import { eventually } from '@headrace/testing';
import { FastGrpcServer } from '../src';
import { definition, EchoService } from './echo-service';
import { call, callHeaders, END_HEADERS, END_STREAM, frame, message, RawClient, Type, uint32 } from './raw-client';

const ECHO = '/test.Echo/Echo';
const PADDED = 8;
const ACK = 1;

let service: EchoService;
let server: FastGrpcServer;
let port: number;
let client: RawClient;

beforeEach(async () => {
  service = new EchoService();
  server = new FastGrpcServer();
  server.addService(definition, service.implementation);
  port = await server.listen('127.0.0.1', 0);
  client = await RawClient.open(port);
});

afterEach(async () => {
  service.release();
  client.destroy();
  await server.close(1_000);
});

it('a deadline is kept by the server when its client does not', async () => {
  client.send(
    frame(Type.headers, END_HEADERS, 1, callHeaders('/test.Echo/Wait', { 'grpc-timeout': '50m' })),
    frame(Type.data, END_STREAM, 1, message(Buffer.from('x'))),
  );
  expect(await client.trailersOf(1)).toContain('Deadline exceeded');
  expect(service.cancelled).toBe(1);
});

it.each(['', '5', '1x', '123456789S', '-1S'])('a timeout "%s" is none', async (timeout) => {
  client.send(frame(Type.headers, END_HEADERS, 1, callHeaders(ECHO, { 'grpc-timeout': timeout })));
  expect(await client.trailersOf(1)).toContain('Invalid grpc-timeout');
});

it('a request is the same in frames of one byte, padded or empty', async () => {
  const bytes = message(Buffer.from('a byte at a time'));
  client.send(frame(Type.headers, END_HEADERS, 1, callHeaders(ECHO)));
  for (const byte of bytes)
    client.send(frame(Type.data, PADDED, 1, Buffer.from([3, byte, 0, 0, 0])), frame(Type.data, 0, 1));
  client.send(frame(Type.data, END_STREAM, 1));
  const { payload } = await client.frame(({ type }) => type === Type.data);
  expect(payload).toEqual(bytes);
});

it('the second answer of a connection is the shorter one: its headers lie in the table', async () => {
  client.send(call(1, ECHO, Buffer.from('1')), call(3, ECHO, Buffer.from('2')), call(5, ECHO, Buffer.from('3')));
  const ending = await client.frame(({ flags, stream }) => stream === 5 && (flags & END_STREAM) !== 0);
  expect(ending.payload).toEqual(Buffer.from([0xbe]));
  const heads = client.frames.filter(({ type, flags }) => type === Type.headers && flags === END_HEADERS);
  expect(heads.map(({ payload }) => payload.length)).toEqual([19, 2, 2]);
});

it.each([
  ['two messages', Buffer.concat([message(Buffer.from('1')), message(Buffer.from('2'))]), 'more than one message'],
  ['no message', Buffer.alloc(0), 'no message'],
  ['half a message', message(Buffer.from('1'), 2), 'inside a message'],
  ['a message that begins with 7', Buffer.from([7, 0, 0, 0, 0]), '0 or 1'],
])('a unary request of %s is refused, saying so', async (_what, bytes, why) => {
  client.send(frame(Type.headers, END_HEADERS, 1, callHeaders(ECHO)), frame(Type.data, END_STREAM, 1, bytes));
  expect(await client.trailersOf(1)).toContain(why);
});

it('an unknown method is answered by one frame', async () => {
  client.send(call(1, '/test.Echo/Nothing', Buffer.from('x')));
  expect(await client.trailersOf(1)).toContain('does not implement the method /test.Echo/Nothing');
  expect(client.frames.filter(({ type }) => type === Type.headers)).toHaveLength(1);
});

it('says goodbye twice: calls that are on their way meanwhile are served', async () => {
  client.send(call(1, '/test.Echo/Wait', Buffer.from('early')));
  await eventually(() => expect(service.waiting).toBe(1));
  const closed = server.close(10_000);
  const first = await client.frame(({ type }) => type === Type.goAway);
  expect(first.payload.subarray(0, 8)).toEqual(Buffer.concat([uint32(2 ** 31 - 1), uint32(0)]));
  const ping = await client.frame(({ type }) => type === Type.ping);
  client.send(call(3, ECHO, Buffer.from('on its way')), frame(Type.ping, ACK, 0, ping.payload));
  const second = await client.frame(
    ({ type, payload }) => type === Type.goAway && payload.readUInt32BE(0) !== 2 ** 31 - 1,
  );
  expect(second.payload.readUInt32BE(0)).toBe(3);
  client.send(call(5, ECHO, Buffer.from('too late')));
  expect(await client.resetOf(5)).toBe(7);
  service.release();
  await client.end();
  await closed;
  const answers = client.frames.filter(({ type }) => type === Type.data).map(({ stream }) => stream);
  expect(answers).toEqual([3, 1]);
});

describe('headers first', () => {
  const INITIAL_WINDOW = 4;
  const MIB = 1_048_576;
  let refusing = false;
  let other: FastGrpcServer;
  let caller: RawClient;

  beforeEach(async () => {
    refusing = true;
    other = new FastGrpcServer({
      headersFirst: () => refusing,
      admit: (path) => (path === '/test.Echo/Wait' ? { code: 8, details: 'not now' } : undefined),
    });
    other.addService(definition, service.implementation);
    caller = await RawClient.open(await other.listen('127.0.0.1', 0));
  });

  afterEach(async () => {
    caller.destroy();
    await other.close(1_000);
  });

  const windowsTold = (): number[] =>
    caller.frames
      .filter(
        ({ type, payload }) =>
          type === Type.settings && payload.length === 6 && payload.readUInt16BE(0) === INITIAL_WINDOW,
      )
      .map(({ payload }) => payload.readUInt32BE(2));
  const creditsOf = (id: number): number[] =>
    caller.frames
      .filter(({ type, stream }) => type === Type.windowUpdate && stream === id)
      .map(({ payload }) => payload.readUInt32BE(0));

  it('of a message only the beginning is asked for until its call is let in', async () => {
    caller.send(call(1, ECHO, Buffer.from('before')));
    await caller.frame(({ type, payload }) => type === Type.settings && payload.length === 6);
    expect(windowsTold()).toEqual([4_096]);
    const body = Buffer.alloc(10_000, 7);
    const bytes = message(body);
    caller.send(
      frame(Type.settings, ACK, 0),
      frame(Type.settings, ACK, 0),
      frame(Type.headers, END_HEADERS, 3, callHeaders('/test.Echo/Wait')),
      frame(Type.headers, END_HEADERS, 5, callHeaders(ECHO)),
      frame(Type.data, 0, 5, bytes.subarray(0, 4_096)),
    );
    expect(await caller.trailersOf(3)).toContain('not now');
    await caller.frame(({ type, stream }) => type === Type.windowUpdate && stream === 5);
    expect(creditsOf(5)).toEqual([MIB - 4_096]);
    expect(creditsOf(3)).toEqual([]);
    caller.send(frame(Type.data, END_STREAM, 5, bytes.subarray(4_096)));
    const { payload } = await caller.frame(({ type, stream }) => type === Type.data && stream === 5);
    expect(payload.subarray(5)).toEqual(body);
  });

  it('calls that were open have their window as before, and it is the usual one for all when there is room again', async () => {
    refusing = false;
    caller.send(frame(Type.headers, END_HEADERS, 1, callHeaders('/test.Echo/Both')));
    await eventually(() => expect(other.state.calls).toBe(1));
    refusing = true;
    caller.send(call(3, ECHO, Buffer.from('x')));
    await caller.trailersOf(3);
    caller.send(frame(Type.settings, ACK, 0), frame(Type.settings, ACK, 0));
    await caller.frame(({ type, stream }) => type === Type.windowUpdate && stream === 1);
    expect(creditsOf(1)).toEqual([MIB - 4_096]);
    refusing = false;
    caller.send(call(5, ECHO, Buffer.from('y')));
    await caller.trailersOf(5);
    expect(windowsTold()).toEqual([4_096, MIB]);
    // Once more: what the first call had more by then makes up for what is taken.
    caller.send(frame(Type.settings, ACK, 0));
    refusing = true;
    caller.send(call(7, ECHO, Buffer.from('z')));
    await caller.trailersOf(7);
    caller.send(frame(Type.settings, ACK, 0), call(9, ECHO, Buffer.from('end')));
    await caller.trailersOf(9);
    expect(windowsTold()).toEqual([4_096, MIB, 4_096]);
    expect(creditsOf(1)).toEqual([MIB - 4_096]);
  });

  it('who acknowledges no settings is told no more of them', async () => {
    for (let id = 1; id < 20; id += 2) {
      refusing = !refusing;
      caller.send(call(id, ECHO, Buffer.from('x')));
      await caller.trailersOf(id);
    }
    expect(windowsTold()).toEqual([4_096, MIB, 4_096]);
  });
});
