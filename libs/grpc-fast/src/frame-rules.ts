// The form of frames (RFC 9113, 6): which belong to a stream or to the connection, and how long they are.
import { ConnectionFault, ErrorCode, FrameType, protocolFault } from './protocol';

interface Rule {
  readonly name: string;
  readonly of: 'stream' | 'connection' | 'either';
  readonly length?: number;
}

const RULES: readonly Rule[] = Object.assign<Rule[], Readonly<Record<number, Rule>>>([], {
  [FrameType.data]: { name: 'DATA', of: 'stream' },
  [FrameType.headers]: { name: 'HEADERS', of: 'stream' },
  [FrameType.priority]: { name: 'PRIORITY', of: 'stream', length: 5 },
  [FrameType.resetStream]: { name: 'RST_STREAM', of: 'stream', length: 4 },
  [FrameType.settings]: { name: 'SETTINGS', of: 'connection' },
  [FrameType.pushPromise]: { name: 'PUSH_PROMISE', of: 'stream' },
  [FrameType.ping]: { name: 'PING', of: 'connection', length: 8 },
  [FrameType.goAway]: { name: 'GOAWAY', of: 'connection' },
  [FrameType.windowUpdate]: { name: 'WINDOW_UPDATE', of: 'either', length: 4 },
  [FrameType.continuation]: { name: 'CONTINUATION', of: 'stream' },
});

/** Throws a ConnectionFault. Frames of unknown types have no rules. */
export function checkForm(type: number, stream: number, length: number): void {
  const rule = RULES[type];
  if (rule === undefined) return;
  if (rule.of !== 'either' && (rule.of === 'connection') !== (stream === 0))
    throw protocolFault(`${rule.name} belongs to ${rule.of === 'stream' ? 'a stream' : 'the connection'}`);
  if (rule.length !== undefined && rule.length !== length)
    throw new ConnectionFault(ErrorCode.frameSize, `${rule.name} has ${length} bytes, not ${rule.length}`);
}

/** Bytes of padding at the end of a payload whose first byte says so. */
export function paddingOf(bytes: Buffer, start: number, end: number): number {
  const padding = bytes[start] ?? 0;
  if (padding >= end - start) throw protocolFault('padding is longer than its frame');
  return padding;
}
