export {
  installSpanRecorder,
  spanRecorder,
  type RecordedSpan,
  type SpanAttributes,
  type SpanRecorder,
  type SpanStart,
} from './span-recorder';
export { startTracing, type Tracing, type TracingOptions } from './start-tracing';
export { eventSpanId, eventTraceparent, isSampled, isTraceparent, traceIdOf, spanIdOf } from './traceparent';
