export { exemplarOf, speakOpenMetrics } from './exemplar';
export {
  installSpanRecorder,
  spanRecorder,
  type RecordedSpan,
  type SpanAttributes,
  type SpanRecorder,
  type SpanStart,
} from './span-recorder';
export type { TracingOptions } from './open-telemetry';
export { startTracing, type Tracing } from './start-tracing';
export { eventSpanId, eventTraceparent, isSampled, isTraceparent, traceIdOf, spanIdOf } from './traceparent';
