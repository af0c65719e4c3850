// The SDK, loaded only when spans are exported. It reads the OTEL_ variables of the specification itself: samplers, limits
// and the queue of spans, headers and timeout of the exporter.
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Link,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  RandomIdGenerator,
  type IdGenerator,
} from '@opentelemetry/sdk-trace-base';
import type { RecordedSpan, SpanRecorder, SpanStart } from './span-recorder';
import { eventSpanId, isSampled, isTraceparent, newTraceId, spanIdOf, traceIdOf } from './traceparent';

const KINDS: Readonly<Record<SpanStart['kind'], SpanKind>> = {
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
};

export interface TracingOptions {
  /** `service.name` of everything recorded in this process, unless OTEL_SERVICE_NAME says otherwise. */
  readonly service: string;
  readonly log: { warn(fields: object, message: string): void };
}

export interface OpenTelemetry {
  readonly recorder: SpanRecorder;
  /** Exports what is waiting and ends. */
  shutdown(): Promise<void>;
}

export function openTelemetry({ service, log }: TracingOptions): OpenTelemetry {
  // Otherwise a collector that cannot be reached is told to nobody.
  const warn = (message: string, ...details: unknown[]): void => log.warn({ details }, `OpenTelemetry: ${message}`);
  const quiet = (): void => undefined;
  diag.setLogger({ error: warn, warn, info: quiet, debug: quiet, verbose: quiet }, DiagLogLevel.WARN);
  const ids = new Ids();
  const provider = new BasicTracerProvider({
    idGenerator: ids,
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': service, 'service.namespace': 'headrace' }))
      // OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME have the last word.
      .merge(detectResources({ detectors: [envDetector] })),
  });
  return {
    recorder: new OpenTelemetryRecorder(provider.getTracer('@headrace/tracing'), ids),
    shutdown: async () => {
      await provider.shutdown();
      diag.disable();
    },
  };
}

/** Random ids, but for spans of events: theirs is drawn from the event's id. */
class Ids implements IdGenerator {
  private readonly random = new RandomIdGenerator();
  private next: string | undefined;

  /** Of the span that is started next; the SDK asks for it before it returns. */
  prepare(eventId: string | undefined): void {
    this.next = eventId === undefined ? undefined : eventSpanId(eventId);
  }

  generateTraceId(): string {
    return newTraceId();
  }

  generateSpanId(): string {
    const id = this.next ?? this.random.generateSpanId();
    this.next = undefined;
    return id;
  }
}

class OpenTelemetryRecorder implements SpanRecorder {
  private readonly running = new AsyncLocalStorage<string>();

  constructor(
    private readonly tracer: Tracer,
    private readonly ids: Ids,
  ) {}

  start(name: string, { kind, parent, links = [], attributes = {}, startMs, eventId }: SpanStart): RecordedSpan {
    this.ids.prepare(eventId);
    const options = {
      kind: KINDS[kind],
      attributes: { ...attributes },
      links: links.filter(isTraceparent).map((link): Link => ({ context: contextOf(link) })),
      ...(startMs === undefined ? {} : { startTime: startMs }),
    };
    return new OpenTelemetrySpan(this.tracer.startSpan(name, options, under(parent)), this.running);
  }

  current(): string | undefined {
    return this.running.getStore();
  }
}

class OpenTelemetrySpan implements RecordedSpan {
  readonly traceparent: string;

  constructor(
    private readonly span: Span,
    private readonly running: AsyncLocalStorage<string>,
  ) {
    const { traceId, spanId, traceFlags } = span.spanContext();
    this.traceparent = `00-${traceId}-${spanId}-${(traceFlags & TraceFlags.SAMPLED) === 0 ? '00' : '01'}`;
  }

  run<R>(work: () => R): R {
    return this.running.run(this.traceparent, work);
  }

  end({ fault, attributes }: Parameters<RecordedSpan['end']>[0] = {}): void {
    if (attributes) this.span.setAttributes({ ...attributes });
    if (fault !== undefined) this.span.setStatus({ code: SpanStatusCode.ERROR, message: fault });
    this.span.end();
  }
}

function under(parent: string | undefined): Context {
  return isTraceparent(parent) ? trace.setSpanContext(ROOT_CONTEXT, contextOf(parent)) : ROOT_CONTEXT;
}

function contextOf(traceparent: string): SpanContext {
  return {
    traceId: traceIdOf(traceparent),
    spanId: spanIdOf(traceparent),
    traceFlags: isSampled(traceparent) ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  };
}
