// LZ4 as Kafka's producers and brokers write it: the frame format
// (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md) around blocks
// (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md). Checksums of the frame are not looked at: the record batch
// around it has one, which the broker has verified.
import { Decompressed } from './decompressed';

const MAGIC = 0x184d2204;
const UNCOMPRESSED = 0x80000000;
/** A match is as long as this at least. */
const LEAST_MATCH = 4;

/** Throws a RangeError on what is no LZ4 frame, or becomes larger than `limit` bytes. */
export function decompressLz4(frame: Buffer, limit: number): Buffer {
  if (frame.length < 7 || frame.readUInt32LE(0) !== MAGIC) throw new RangeError('no LZ4 frame');
  const flags = frame.readUInt8(4);
  if (flags >> 6 !== 1) throw new RangeError(`LZ4 frame of version ${flags >> 6}, expected 1`);
  const hasBlockChecksums = (flags & 0x10) !== 0;
  const hasContentSize = (flags & 0x08) !== 0;
  const hasDictionary = (flags & 0x01) !== 0;
  if (hasDictionary) throw new RangeError('LZ4 frame with a dictionary');
  let at = 7 + (hasContentSize ? 8 : 0);
  const output = new Decompressed(limit);
  for (;;) {
    if (at + 4 > frame.length) throw new RangeError('LZ4 frame without an end');
    const head = frame.readUInt32LE(at);
    at += 4;
    if (head === 0) return output.bytes();
    const size = head & ~UNCOMPRESSED;
    if (at + size > frame.length) throw new RangeError('LZ4 block longer than its frame');
    const block = frame.subarray(at, at + size);
    if (head >>> 31 === 1) output.append(block);
    else decompressBlock(block, output);
    at += size + (hasBlockChecksums ? 4 : 0);
  }
}

function decompressBlock(block: Buffer, output: Decompressed): void {
  let at = 0;
  /** 15 means: and what the next bytes add, up to the first that is not 255. */
  const lengthOf = (nibble: number): number => {
    let length = nibble;
    for (let more = nibble === 15; more; at += 1) {
      const byte = block.readUInt8(at);
      length += byte;
      more = byte === 255;
    }
    return length;
  };
  while (at < block.length) {
    const token = block.readUInt8(at);
    at += 1;
    const literals = lengthOf(token >> 4);
    if (at + literals > block.length) throw new RangeError('LZ4 block is cut off');
    output.append(block.subarray(at, at + literals));
    at += literals;
    // The last sequence has no match.
    if (at >= block.length) return;
    const distance = block.readUInt16LE(at);
    at += 2;
    output.repeat(distance, lengthOf(token & 15) + LEAST_MATCH);
  }
}
