// Trace context over gRPC: the metadata `traceparent` of W3C. Spans of calls are recorded while spans are exported; without
// that a context goes through unchanged.
import type {
  handleUnaryCall,
  Metadata,
  sendUnaryData,
  ServerUnaryCall,
  ServiceDefinition,
  ServiceError,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { isTraceparent, spanRecorder } from '@headrace/tracing';

const HEADER = 'traceparent';

/** On whose behalf a call is made. */
export interface CallTrace {
  /** Path of the method: `/headrace.features.v1.FeatureService/GetOnlineFeatures`. */
  readonly method: string;
  /** The call belongs to the trace of the first; the others, when it serves many requests at once, are linked. */
  readonly contexts: readonly string[];
}

/** Metadata to send, and what to tell when the call has ended. The given metadata is not changed. */
export function traceCall(
  metadata: Metadata,
  trace: CallTrace | undefined,
): { readonly metadata: Metadata; readonly end?: (error: ServiceError | null) => void } {
  const [parent, ...links] = trace?.contexts ?? [];
  if (!trace || parent === undefined) return { metadata };
  const sent = metadata.clone();
  const span = spanRecorder()?.start(trace.method.slice(1), {
    kind: 'client',
    parent,
    links,
    attributes: attributesOf(trace.method),
  });
  sent.set(HEADER, span?.traceparent ?? parent);
  if (!span) return { metadata: sent };
  return {
    metadata: sent,
    end: (error) =>
      span.end({
        fault: error?.details,
        attributes: { 'rpc.grpc.status_code': error?.code ?? status.OK },
      }),
  };
}

const spans = new WeakMap<object, string>();

/** Context that a call is answered in. */
export function traceparentOf(call: ServerUnaryCall<unknown, unknown>): string | undefined {
  return spans.get(call) ?? sentWith(call.metadata);
}

function sentWith(metadata: Metadata): string | undefined {
  const value = metadata.get(HEADER)[0]?.toString();
  return isTraceparent(value) ? value : undefined;
}

/** The same handlers, each unary call a span. Decided once: without an exporter they stay as they are. */
export function traced(
  definition: ServiceDefinition,
  handlers: UntypedServiceImplementation,
): UntypedServiceImplementation {
  const recorder = spanRecorder();
  if (!recorder) return handlers;
  const result: UntypedServiceImplementation = { ...handlers };
  for (const [method, handler] of Object.entries(handlers)) {
    if (definition[method]?.requestStream || definition[method]?.responseStream) continue;
    const path = definition[method]?.path ?? method;
    const run = handler as handleUnaryCall<unknown, unknown>;
    result[method] = (call: ServerUnaryCall<unknown, unknown>, respond: sendUnaryData<unknown>) => {
      const parent = sentWith(call.metadata);
      const span = recorder.start(path.slice(1), { kind: 'server', parent, attributes: attributesOf(path) });
      spans.set(call, span.traceparent);
      span.run(() =>
        run(call, (error, ...answer) => {
          const code = error?.code ?? status.OK;
          // A refusal is an answer: only what the server itself could not do is an error of its span.
          const failed = code === status.INTERNAL || code === status.UNKNOWN || code === status.UNAVAILABLE;
          span.end({
            fault: failed ? (error?.details ?? 'failed') : undefined,
            attributes: { 'rpc.grpc.status_code': code },
          });
          respond(error, ...answer);
        }),
      );
    };
  }
  return result;
}

function attributesOf(path: string): Readonly<Record<string, string>> {
  const [, service = '', method = ''] = path.split('/');
  return { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
}
