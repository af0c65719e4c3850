import { HeaderBlock } from '../record-bytes';
import { encodeProduce, encodeRequest, isPlain, type ProduceCall } from './kafkajs-produce';

interface TheirRequest {
  readonly apiKey: number;
  encode(): Promise<{ readonly buffer: Buffer; readonly buf: Buffer }>;
}

// Jest has its own module registry, so these are kafkajs' own.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const theirs = require('kafkajs/src/protocol/requests/produce/v3/request.js') as (call: ProduceCall) => TheirRequest;
// eslint-disable-next-line @typescript-eslint/no-require-imports
const theirEnvelope = require('kafkajs/src/protocol/request.js') as typeof encodeRequest;

const message = (n: number) => ({
  key: n % 3 === 0 ? null : Buffer.from(`k${n}`),
  value: n % 5 === 0 ? null : Buffer.alloc(n * 37, n),
  headers: n % 2 === 0 ? { a: 'b', größe: `ä${n}` } : {},
});
const call: ProduceCall = {
  acks: -1,
  timeout: 30_000,
  producerId: '4711',
  producerEpoch: 3,
  topicData: [
    {
      topic: 'data.größe.v1',
      partitions: [
        { partition: 0, firstSequence: 12, messages: Array.from({ length: 70 }, (_, n) => message(n)) },
        { partition: 3, firstSequence: 0, messages: [message(1)] },
      ],
    },
    { topic: 'b', partitions: [{ partition: 1, messages: [message(7), message(8)] }] },
  ],
};

describe('a produce request', () => {
  beforeEach(() => jest.spyOn(Date, 'now').mockReturnValue(1_764_000_000_123));
  afterEach(() => jest.restoreAllMocks());

  it.each([
    ['of an idempotent producer', call],
    ['of another one', { acks: 1, timeout: 1, topicData: call.topicData }],
    ['of nothing', { acks: -1, timeout: 1, topicData: [] }],
  ])('has the same bytes as that of kafkajs: %s', async (_what, given) => {
    const expected = await theirs(given).encode();
    expect(encodeProduce(given).buffer.toString('hex')).toBe(expected.buffer.toString('hex'));
  });

  it('takes headers that are encoded already', async () => {
    const one = (headers: Record<string, string> | HeaderBlock): ProduceCall => ({
      ...call,
      topicData: [{ topic: 't', partitions: [{ partition: 0, messages: [{ key: null, value: null, headers }] }] }],
    });
    const expected = await theirs(one({ a: '1', b: '2' })).encode();
    const block = HeaderBlock.of({ b: '2' }, HeaderBlock.of({ a: '1' }));
    expect(encodeProduce(one(block)).buffer.toString('hex')).toBe(expected.buffer.toString('hex'));
  });

  it('is left to kafkajs when it is compressed, of a transaction, or has times of its own', () => {
    expect(isPlain(call)).toBe(true);
    expect(isPlain({ ...call, compression: 1 })).toBe(false);
    expect(isPlain({ ...call, transactionalId: 't' })).toBe(false);
    const timed = [{ partition: 0, messages: [{ key: null, value: null, timestamp: '1' }] }];
    expect(isPlain({ ...call, topicData: [{ topic: 't', partitions: timed }] })).toBe(false);
  });

  it('has the head that kafkajs gives it', async () => {
    const body = encodeProduce(call);
    const request = { apiKey: 0, apiVersion: 7, encode: () => Promise.resolve(body) };
    const whole = { correlationId: 99, clientId: 'headrace-größe', request };
    const expected = await theirEnvelope(whole);
    expect((await encodeRequest(whole)).buffer.toString('hex')).toBe(expected.buffer.toString('hex'));
  });
});
