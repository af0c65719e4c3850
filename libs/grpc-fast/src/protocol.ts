// Numbers of HTTP/2 (RFC 9113), and the bounds that this server keeps.

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const Flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

export const ErrorCode = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const FRAME_HEAD_BYTES = 9;
/** Both sides' window, and the largest frame, before settings say otherwise. */
export const DEFAULT_WINDOW = 65_535;
export const DEFAULT_FRAME_BYTES = 16_384;
export const MAX_WINDOW = 2 ** 31 - 1;
/** Of the table that requests are decoded with; never offered larger. */
export const HEADER_TABLE_BYTES = 4_096;
/** Length prefix of a gRPC message: one byte "compressed", four of length. */
export const MESSAGE_HEAD_BYTES = 5;

/** The connection cannot go on: it is told why by GOAWAY, and closed. */
export class ConnectionFault extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
    this.name = 'ConnectionFault';
  }
}

export function protocolFault(message: string): ConnectionFault {
  return new ConnectionFault(ErrorCode.protocol, message);
}

/** What one server, one connection and one call may take. Bytes and milliseconds. */
export interface ServerLimits {
  readonly maxConnections: number;
  /** Of one connection. Handlers that still work for a cancelled call count. */
  readonly maxConcurrentStreams: number;
  /** Largest message that is accepted. */
  readonly maxMessageBytes: number;
  /** Names and values with 32 bytes for each field (RFC 9113, 6.5.2): more is answered with RESOURCE_EXHAUSTED. */
  readonly maxHeaderListBytes: number;
  /** A header block as it comes, with all its CONTINUATION frames: more ends the connection. */
  readonly maxHeaderBlockBytes: number;
  readonly maxContinuationFrames: number;
  /** Messages that are not whole or not taken yet, in and out: whole server, and one connection. */
  readonly maxBufferedBytes: number;
  readonly maxConnectionBufferedBytes: number;
  /** What a client may send before it is read: one stream, one connection. */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** Until the preface and the first settings have come (TLS: from the accepted socket). */
  readonly handshakeTimeoutMs: number;
  /** Until a frame or header block that began is whole. */
  readonly frameTimeoutMs: number;
  /** Until the one message of a unary request is whole. */
  readonly requestTimeoutMs: number;
  /** How long an answer may wait for a client that does not take it. */
  readonly stallTimeoutMs: number;
  /** Silence after which a PING asks whether the client is still there, and how long it may take to say so. */
  readonly keepAliveMs: number;
  readonly keepAliveTimeoutMs: number;
  /** A connection without any call is closed after this. */
  readonly idleTimeoutMs: number;
}

const MIB = 1_048_576;

export const defaultLimits: ServerLimits = {
  maxConnections: 10_000,
  maxConcurrentStreams: 512,
  maxMessageBytes: 16 * MIB,
  maxHeaderListBytes: 16_384,
  maxHeaderBlockBytes: 65_536,
  maxContinuationFrames: 32,
  maxBufferedBytes: 256 * MIB,
  maxConnectionBufferedBytes: 64 * MIB,
  streamWindowBytes: MIB,
  connectionWindowBytes: 4 * MIB,
  handshakeTimeoutMs: 10_000,
  frameTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  stallTimeoutMs: 30_000,
  keepAliveMs: 60_000,
  keepAliveTimeoutMs: 20_000,
  idleTimeoutMs: 1_800_000,
};
