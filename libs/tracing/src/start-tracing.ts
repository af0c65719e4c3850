import type { TracingOptions } from './open-telemetry';
import { installSpanRecorder, spanRecorder } from './span-recorder';

export interface Tracing {
  /** Exports what is waiting, for so long at most; what is left then is lost, and said so. */
  stop(deadlineMs: number): Promise<void>;
}

/**
 * Loads the OpenTelemetry SDK and records spans from now on, to the collector of OTEL_EXPORTER_OTLP_ENDPOINT. Once in a
 * process. Call it before the first handler runs.
 */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  if (spanRecorder()) throw new Error('tracing was started before');
  const { openTelemetry } = await import('./open-telemetry');
  const { recorder, shutdown } = openTelemetry(options);
  installSpanRecorder(recorder);
  return {
    stop: async (deadlineMs) => {
      installSpanRecorder(undefined);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<Error>((resolve) => {
        timer = setTimeout(() => resolve(new Error(`not exported within ${deadlineMs} ms`)), deadlineMs);
      });
      const failed = await Promise.race([shutdown().catch((error: unknown) => error), late]);
      clearTimeout(timer);
      if (failed !== undefined) options.log.warn({ err: failed }, 'the last spans are lost');
    },
  };
}
