import { decodeResponse, encodeRequest } from './topic-ids';

const bytes = (...parts: (string | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : Buffer.from(part))));
const text = (value: string): string =>
  Buffer.from([value.length + 1]).toString('hex') + Buffer.from(value).toString('hex');
const ID = '0af7651916cd43dd8448eb211c80319c';

function topic(error: number, name: string, id: string): string {
  const partition = bytes([0, 0], '00000000', '00000001', '00000005', [2], '00000001', [2], '00000001', [1], [0]);
  return bytes([0, error], text(name), id, [0], [2], partition.toString('hex'), '80000000', [0]).toString('hex');
}

const head = bytes(
  [0],
  '00000000',
  [2],
  '00000001',
  text('localhost'),
  '00002384',
  [0],
  [0],
  text('cluster'),
  '00000001',
);

describe('Metadata version 10', () => {
  it('asks for topics by name, without creating them', () => {
    expect(encodeRequest(['a.v1']).toString('hex')).toBe(
      bytes([0], [2], '00'.repeat(16), text('a.v1'), [0], [0, 0, 0], [0]).toString('hex'),
    );
    expect(encodeRequest(Array.from({ length: 200 }, () => 'x')).subarray(1, 3)).toEqual(Buffer.from([0xc9, 0x01]));
  });

  it('reads ids, leaves unknown topics and topics without an id out, and skips tagged fields', () => {
    const topics = [topic(0, 'a', ID), topic(3, 'gone', '00'.repeat(16)), topic(0, 'old', '00'.repeat(16))];
    const end = bytes('80000000', [1, 7, 2, 9, 9]);
    const payload = bytes(head.toString('hex'), [4], ...topics, end.toString('hex'));
    expect(decodeResponse(payload)).toEqual(new Map([['a', '0af76519-16cd-43dd-8448-eb211c80319c']]));
  });

  it('refuses what is cut off, and says an error', () => {
    const payload = bytes(head.toString('hex'), [2], topic(29, 'secret', ID), '80000000', [0]);
    expect(() => decodeResponse(payload.subarray(0, 40))).toThrow('shorter than its fields');
    expect(() => decodeResponse(payload)).toThrow('Metadata of topic secret: error 29');
  });
});
