import { register, Registry, type OpenMetricsContentType } from 'prom-client';
import { spanRecorder } from './span-recorder';
import { isSampled, isTraceparent, traceIdOf } from './traceparent';

/** OpenMetrics 1.0: names and values of all labels of an exemplar together. */
const LONGEST = 128;

/**
 * Labels that lead from an observation of a histogram to its trace; of `more`, other ways on, what there is room for.
 * Undefined while nothing exports spans, or when this trace is not kept: it must not lead nowhere.
 */
export function exemplarOf(
  traceparent: string | undefined,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> | undefined {
  if (!spanRecorder() || !isTraceparent(traceparent) || !isSampled(traceparent)) return undefined;
  const labels: Record<string, string> = {};
  let length = 0;
  for (const [name, value] of Object.entries({ trace_id: traceIdOf(traceparent), ...more })) {
    length += name.length + value.length;
    if (length <= LONGEST) labels[name] = value;
  }
  return labels;
}

/**
 * To be called before a histogram with exemplars is made: only OpenMetrics has room for them. Once and for all, since
 * prom-client renames counters in place for it: not by what each scrape asks for.
 */
export function speakOpenMetrics(registry: Registry = register): void {
  (registry as unknown as Registry<OpenMetricsContentType>).setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
}
