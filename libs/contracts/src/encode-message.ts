import { BinaryWriter } from '@bufbuild/protobuf/wire';

interface Encoder<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
}

/** The writer's buffer grew for one that was larger than most: it is not kept. */
const KEPT_BYTES = 1_048_576;

let shared: BinaryWriter | undefined;

/**
 * Bytes of a message. All messages share a writer: its buffer grows once, instead of being doubled from 128 bytes on for
 * each of them, which was most of what encoding an event cost.
 */
export function encodeMessage<T>(encoder: Encoder<T>, message: T): Buffer {
  const writer = shared ?? new BinaryWriter();
  // What throws halfway leaves its half in the writer.
  shared = undefined;
  const bytes = encoder.encode(message, writer).finish();
  if (bytes.byteLength <= KEPT_BYTES) shared = writer;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
