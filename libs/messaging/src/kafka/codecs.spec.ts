import { decompressLz4 } from './lz4';
import { decompressSnappy } from './snappy';

const MEBIBYTE = 1024 * 1024;
/** Node's own errors are of another realm here. */
const outOfRange = expect.objectContaining({ name: 'RangeError' }) as Error;

/** `abc` three times more by a match that overlaps what it writes, then `d`. */
const TEXT = 'abcabcabcabcd';
const LZ4_BLOCK = [0x35, ...Buffer.from('abc'), 3, 0, 0x10, ...Buffer.from('d')];
const SNAPPY_BLOCK = [13, 0x08, ...Buffer.from('abc'), 0x22, 3, 0, 0x00, ...Buffer.from('d')];

const lz4 = (...blocks: number[][]): Buffer =>
  Buffer.from([
    ...[0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0x00],
    ...blocks.flatMap((block) => [block.length, 0, 0, 0, ...block]),
    ...[0, 0, 0, 0],
  ]);
const xerial = (...blocks: number[][]): Buffer =>
  Buffer.from([
    ...[0x82, ...Buffer.from('SNAPPY'), 0, 0, 0, 0, 1, 0, 0, 0, 1],
    ...blocks.flatMap((block) => [0, 0, 0, block.length, ...block]),
  ]);

describe('what others compressed', () => {
  it('is read from LZ4 frames', () => {
    expect(decompressLz4(lz4(LZ4_BLOCK), MEBIBYTE).toString()).toBe(TEXT);
    expect(decompressLz4(lz4(LZ4_BLOCK, LZ4_BLOCK), MEBIBYTE).toString()).toBe(TEXT + TEXT);
    const plain = Buffer.from([4, 0x22, 0x4d, 0x18, 0x40, 0x40, 0, 2, 0, 0, 0x80, ...Buffer.from('hi'), 0, 0, 0, 0]);
    expect(decompressLz4(plain, MEBIBYTE).toString()).toBe('hi');
  });

  it('is read from Snappy, bare and in blocks', () => {
    expect(decompressSnappy(Buffer.from(SNAPPY_BLOCK), MEBIBYTE).toString()).toBe(TEXT);
    expect(decompressSnappy(xerial(SNAPPY_BLOCK, SNAPPY_BLOCK), MEBIBYTE).toString()).toBe(TEXT + TEXT);
  });

  it('is refused when it is cut off, points before its beginning, or grows beyond the limit', () => {
    for (let length = 0; length < lz4(LZ4_BLOCK).length; length += 1)
      expect(() => decompressLz4(lz4(LZ4_BLOCK).subarray(0, length), MEBIBYTE)).toThrow(outOfRange);
    for (const length of [0, 2, 4, 6, 7, 9])
      expect(() => decompressSnappy(Buffer.from(SNAPPY_BLOCK).subarray(0, length), MEBIBYTE)).toThrow(outOfRange);
    expect(() => decompressLz4(lz4([0x15, 0x61, 9, 0]), MEBIBYTE)).toThrow('before the beginning');
    expect(() => decompressSnappy(Buffer.from([9, 0x22, 3, 0]), MEBIBYTE)).toThrow('before the beginning');
    expect(() => decompressLz4(lz4(LZ4_BLOCK), 12)).toThrow('larger than 12 bytes');
    expect(() => decompressSnappy(xerial(SNAPPY_BLOCK), 12)).toThrow('larger than 12 bytes');
  });
});
