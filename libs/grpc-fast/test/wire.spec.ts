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
