import { FrameReader } from './frame-reader';
import { PREFACE } from './protocol';

function frame(type: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.from([0, 0, 0, type, type, 0, 0, 0, 0]);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const wire = Buffer.concat([
  PREFACE,
  frame(4, 0, Buffer.alloc(0)),
  frame(1, 1, Buffer.from('headers')),
  frame(0, 1, Buffer.alloc(16_384, 'd')),
  frame(6, 0, Buffer.from('12345678')),
  frame(200, 2 ** 31 - 1, Buffer.from('?')),
]);

function readIn(sizes: (at: number) => number): string[] {
  const seen: string[] = [];
  const reader = new FrameReader(16_384, (type, flags, stream, bytes, start, end) => {
    seen.push(`${type} ${flags} ${stream} ${bytes.toString('latin1', start, end)}`);
  });
  for (let at = 0; at < wire.length;) {
    const next = at + sizes(at);
    reader.push(Buffer.from(wire.subarray(at, next)));
    at = next;
  }
  expect(reader.inside).toBe(false);
  return seen;
}

describe('frames', () => {
  const whole = readIn(() => wire.length);

  it('are the same wherever the chunks are cut', () => {
    expect(whole).toHaveLength(5);
    expect(whole[2]).toBe(`0 0 1 ${'d'.repeat(16_384)}`);
    expect(whole[4]).toBe(`200 200 ${2 ** 31 - 1} ?`);
    for (const size of [1, 2, 3, 5, 8, 9, 10, 17, 24, 1_000, 16_384, 16_400]) expect(readIn(() => size)).toEqual(whole);
    let state = 1;
    for (let round = 0; round < 200; round += 1)
      expect(readIn(() => 1 + ((state = (state * 48_271) % 2_147_483_647) % (round * 20 + 2)))).toEqual(whole);
  });

  it('that are too large are refused by their first bytes', () => {
    const reader = new FrameReader(16_384, () => undefined);
    reader.push(PREFACE);
    expect(() => reader.push(Buffer.from([0, 0x40, 1, 0, 0, 0, 0, 0, 1]))).toThrow(
      expect.objectContaining({ code: 6 }),
    );
  });

  it('do not come from a client of HTTP/1', () => {
    const reader = new FrameReader(16_384, () => undefined);
    expect(() => reader.push(Buffer.from('GET / HTTP/1.1\r\n'))).toThrow(expect.objectContaining({ code: 1 }));
  });

  it('that are not whole hold no more than they will be', () => {
    const reader = new FrameReader(16_384, () => undefined);
    reader.push(Buffer.concat([PREFACE, frame(0, 1, Buffer.alloc(100)).subarray(0, 50)]));
    expect(reader.inside).toBe(true);
  });
});
