// Takes what an OTLP exporter sends over HTTP as protobuf, as an OpenTelemetry collector would.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { BinaryReader } from '@bufbuild/protobuf/wire';

export interface ExportedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first of a trace. */
  readonly parentSpanId: string;
  /** Nanoseconds since the epoch. */
  readonly startNanos: bigint;
  readonly endNanos: bigint;
  /** Text and numbers as text. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly failed: boolean;
  /** Attributes of its process. */
  readonly resource: Readonly<Record<string, string>>;
}

export interface OtlpCollector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  /** Everything that was exported so far. */
  readonly spans: readonly ExportedSpan[];
  close(): Promise<void>;
}

export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: ExportedSpan[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const isSpans = request.method === 'POST' && request.url === '/v1/traces';
      if (isSpans) spans.push(...spansOf(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body));
      response.writeHead(isSpans ? 200 : 404, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

// opentelemetry/proto/collector/trace/v1/trace_service.proto, as far as it is of use here.

type Field = { readonly number: number; readonly bytes: Uint8Array; readonly number64: bigint };

/** Fields in their order; those of other wire types have no bytes. */
function fieldsOf(message: Uint8Array): Field[] {
  const reader = new BinaryReader(message);
  const fields: Field[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    let bytes = new Uint8Array();
    let number64 = 0n;
    if (wireType === 2) bytes = new Uint8Array(reader.bytes());
    else if (wireType === 1) number64 = BigInt(reader.fixed64());
    else if (wireType === 0) number64 = BigInt(reader.int64());
    else reader.skip(wireType, number);
    fields.push({ number, bytes, number64 });
  }
  return fields;
}

const all = (fields: readonly Field[], number: number): Uint8Array[] =>
  fields.filter((field) => field.number === number).map(({ bytes }) => bytes);
const one = (fields: readonly Field[], number: number): Uint8Array => all(fields, number)[0] ?? new Uint8Array();
const number64 = (fields: readonly Field[], number: number): bigint =>
  fields.find((field) => field.number === number)?.number64 ?? 0n;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function spansOf(request: Uint8Array): ExportedSpan[] {
  return all(fieldsOf(request), 1).flatMap((resourceSpans) => {
    const fields = fieldsOf(resourceSpans);
    const resource = attributesOf(all(fieldsOf(one(fields, 1)), 1));
    return all(fields, 2).flatMap((scopeSpans) =>
      all(fieldsOf(scopeSpans), 2).map((span) => spanOf(fieldsOf(span), resource)),
    );
  });
}

function spanOf(fields: readonly Field[], resource: ExportedSpan['resource']): ExportedSpan {
  return {
    traceId: hex(one(fields, 1)),
    spanId: hex(one(fields, 2)),
    parentSpanId: hex(one(fields, 4)),
    name: text(one(fields, 5)),
    startNanos: number64(fields, 7),
    endNanos: number64(fields, 8),
    attributes: attributesOf(all(fields, 9)),
    links: all(fields, 13).map((link) => {
      const linked = fieldsOf(link);
      return { traceId: hex(one(linked, 1)), spanId: hex(one(linked, 2)) };
    }),
    failed: number64(fieldsOf(one(fields, 15)), 3) === 2n,
    resource,
  };
}

function attributesOf(pairs: readonly Uint8Array[]): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const pair of pairs) {
    const fields = fieldsOf(pair);
    const value = fieldsOf(one(fields, 2))[0];
    if (value) attributes[text(one(fields, 1))] = value.number === 1 ? text(value.bytes) : String(value.number64);
  }
  return attributes;
}
