// Codecs that kafkajs leaves to others. Upstream systems choose how they compress, and a consumer that cannot read one
// record batch can read nothing behind it. Only reading: what Headrace writes is plain, or compressed by the broker.
import * as zlib from 'node:zlib';
import { CompressionCodecs, CompressionTypes } from 'kafkajs';
import { decompressLz4 } from './lz4';
import { decompressSnappy } from './snappy';

/** Of the records of one batch, which brokers limit to 1 MB compressed unless told otherwise. */
const LARGEST_BYTES = 256 * 1024 * 1024;

interface Zstd {
  zstdDecompressSync?(bytes: Buffer, options: { readonly maxOutputLength: number }): Buffer;
}

function reading(name: string, decompress: (bytes: Buffer) => Buffer) {
  return () => ({
    compress: () => Promise.reject(new Error(`${name}: records are not compressed by their producer here`)),
    decompress: (bytes: Buffer) => Promise.resolve(decompress(bytes)),
  });
}

function decompressZstd(bytes: Buffer): Buffer {
  const { zstdDecompressSync } = zlib as Zstd;
  if (zstdDecompressSync) return zstdDecompressSync(bytes, { maxOutputLength: LARGEST_BYTES });
  throw new Error(
    `a topic holds records compressed by zstd, which Node ${process.versions.node} cannot read: run the service with ` +
      'Node 22.15 or later, or let the topic be compressed by lz4, snappy or gzip',
  );
}

CompressionCodecs[CompressionTypes.LZ4] = reading('lz4', (bytes) => decompressLz4(bytes, LARGEST_BYTES));
CompressionCodecs[CompressionTypes.Snappy] = reading('snappy', (bytes) => decompressSnappy(bytes, LARGEST_BYTES));
CompressionCodecs[CompressionTypes.ZSTD] = reading('zstd', decompressZstd);
