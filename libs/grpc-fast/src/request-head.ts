// What a header block says about a call. Rules: RFC 9113, 8.2 and 8.3; gRPC over HTTP/2, "Requests".
import { Metadata } from '@grpc/grpc-js';

/** Shared by all calls that sent the same block: never changed. */
export interface RequestHead {
  /** No request of HTTP/2 at all: its stream is reset. */
  readonly malformed?: string;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly contentType: string;
  /** Undefined: no deadline. NaN: a grpc-timeout that is none. */
  readonly timeoutMs: number | undefined;
  readonly encoding: string;
  readonly contentLength: number | undefined;
  /** The list was longer than this server takes. */
  readonly tooLarge: boolean;
  /** Names and values of the caller's metadata, in turn. */
  readonly metadata: readonly string[];
}

const FORBIDDEN = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const BAD_VALUE = /[\0\r\n]|^[ \t]|[ \t]$/;
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const MILLISECONDS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000001,
};

export function readRequestHead(fields: readonly string[], tooLarge: boolean): RequestHead {
  const head = {
    method: '',
    path: '',
    authority: '',
    contentType: '',
    timeoutMs: undefined as number | undefined,
    encoding: 'identity',
    contentLength: undefined as number | undefined,
    tooLarge,
    metadata: [] as string[],
  };
  const malformed = (why: string): RequestHead => ({ ...head, malformed: why });
  const pseudo = new Set<string>();
  for (let index = 0; index < fields.length; index += 2) {
    const [name = '', value = ''] = [fields[index], fields[index + 1]];
    if (name.startsWith(':')) {
      if (index !== pseudo.size * 2) return malformed('a pseudo-header stands after another header');
      if (pseudo.has(name)) return malformed(`${name} comes twice`);
      pseudo.add(name);
      if (BAD_VALUE.test(value)) return malformed(`${name} has a value that no header may have`);
      if (name === ':method') head.method = value;
      else if (name === ':path') head.path = value;
      else if (name === ':authority') head.authority = value;
      else if (name !== ':scheme') return malformed('there is an unknown pseudo-header');
      continue;
    }
    if (!NAME.test(name)) return malformed('a header has a name that no header may have');
    if (BAD_VALUE.test(value)) return malformed(`${name} has a value that no header may have`);
    if (FORBIDDEN.has(name)) return malformed(`${name} has no place in HTTP/2`);
    switch (name) {
      case 'te':
        if (value !== 'trailers') return malformed('te is something else than "trailers"');
        break;
      case 'content-type':
        head.contentType = value;
        break;
      case 'content-length':
        if (!/^\d{1,15}$/.test(value)) return malformed('content-length is no number');
        if (head.contentLength !== undefined && head.contentLength !== Number(value))
          return malformed('content-length comes twice');
        head.contentLength = Number(value);
        break;
      case 'grpc-timeout':
        head.timeoutMs = timeoutOf(value);
        break;
      case 'grpc-encoding':
        head.encoding = value;
        break;
      case 'grpc-accept-encoding':
      case 'accept-encoding':
        break;
      case 'host':
        head.authority ||= value;
        break;
      default:
        head.metadata.push(name, value);
    }
  }
  if (!tooLarge && (!pseudo.has(':method') || !pseudo.has(':path') || !pseudo.has(':scheme')))
    return malformed('a pseudo-header is missing');
  if (!tooLarge && head.path === '') return malformed(':path is empty');
  return head;
}

function timeoutOf(value: string): number {
  const [, count, unit = ''] = TIMEOUT.exec(value) ?? [];
  return Number(count) * (MILLISECONDS[unit] ?? NaN);
}

/** True for what a client may end its request with. */
export function areTrailers(fields: readonly string[]): boolean {
  for (let index = 0; index < fields.length; index += 2) {
    const [name = '', value = ''] = [fields[index], fields[index + 1]];
    if (!NAME.test(name) || BAD_VALUE.test(value)) return false;
  }
  return true;
}

/** Metadata of its own for each call: handlers may change it. */
export function metadataOf({ metadata }: RequestHead): Metadata {
  const result = new Metadata();
  for (let index = 0; index < metadata.length; index += 2) {
    const [name = '', value = ''] = [metadata[index], metadata[index + 1]];
    if (!name.endsWith('-bin')) {
      if (/^[\x20-\x7e]*$/.test(value)) result.add(name, value);
      continue;
    }
    // One header may bring several binary values.
    for (const part of value.split(',')) result.add(name, Buffer.from(part.trim(), 'base64'));
  }
  return result;
}
