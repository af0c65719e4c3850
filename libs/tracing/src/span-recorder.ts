// What the libraries see of OpenTelemetry. There is a recorder while an exporter is configured, else none: callers ask for
// it first and build nothing without it.

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanStart {
  readonly kind: 'producer' | 'consumer' | 'server' | 'client';
  /** Context of the parent; undefined or invalid: the span begins a trace. */
  readonly parent?: string | undefined;
  /** Contexts that it also belongs to: the other events of a batch. */
  readonly links?: readonly string[];
  readonly attributes?: SpanAttributes;
  /** Milliseconds since the epoch; default: now. */
  readonly startMs?: number;
  /** An event, whose span has the id that eventTraceparent gives it. */
  readonly eventId?: string;
}

export interface RecordedSpan {
  /** Its context, to be the parent of what follows; also when it is not sampled. */
  readonly traceparent: string;
  /** Runs work inside of it: log lines of the work carry the trace's id. */
  run<R>(work: () => R): R;
  /** Ends it now; with a fault it is an error. */
  end(result?: { readonly fault?: string | undefined; readonly attributes?: SpanAttributes }): void;
}

export interface SpanRecorder {
  start(name: string, start: SpanStart): RecordedSpan;
  /** Context of the span whose work runs now. */
  current(): string | undefined;
}

let installed: SpanRecorder | undefined;

/** Undefined while nothing exports spans. */
export function spanRecorder(): SpanRecorder | undefined {
  return installed;
}

/** Undefined takes it away. */
export function installSpanRecorder(recorder: SpanRecorder | undefined): void {
  installed = recorder;
}
