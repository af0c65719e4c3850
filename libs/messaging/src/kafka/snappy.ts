// Snappy (https://github.com/google/snappy/blob/main/format_description.txt), bare or in the blocks of snappy-java, which
// Kafka's own clients write.
import { Decompressed } from './decompressed';

/** Of snappy-java: then two version numbers, then blocks, each behind its length; all of them big-endian. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEAD = 16;

/** Throws a RangeError on what is not Snappy, or becomes larger than `limit` bytes. */
export function decompressSnappy(bytes: Buffer, limit: number): Buffer {
  const output = new Decompressed(limit);
  if (!bytes.subarray(0, XERIAL.length).equals(XERIAL)) {
    decompressBlock(bytes, output);
    return output.bytes();
  }
  for (let at = XERIAL_HEAD; at < bytes.length;) {
    const size = bytes.readUInt32BE(at);
    at += 4;
    if (at + size > bytes.length) throw new RangeError('Snappy block is cut off');
    decompressBlock(bytes.subarray(at, at + size), output);
    at += size;
  }
  return output.bytes();
}

function decompressBlock(block: Buffer, output: Decompressed): void {
  let at = 0;
  // Its length when decompressed, seven bits a byte: what follows says it, too.
  while (block.readUInt8(at) >= 128) at += 1;
  at += 1;
  while (at < block.length) {
    const tag = block.readUInt8(at);
    at += 1;
    const high = tag >> 2;
    switch (tag & 3) {
      case 0: {
        // Up to 60 bytes the tag says how many, above that the next one to four bytes do.
        const width = high < 60 ? 0 : high - 59;
        const length = (width === 0 ? high : block.readUIntLE(at, width)) + 1;
        at += width;
        if (at + length > block.length) throw new RangeError('Snappy block is cut off');
        output.append(block.subarray(at, at + length));
        at += length;
        break;
      }
      case 1:
        output.repeat(((high >> 3) << 8) | block.readUInt8(at), (high & 7) + 4);
        at += 1;
        break;
      case 2:
        output.repeat(block.readUInt16LE(at), high + 1);
        at += 2;
        break;
      default:
        output.repeat(block.readUInt32LE(at), high + 1);
        at += 4;
    }
  }
}
