import { events } from '@headrace/contracts';
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { Cause } from '@headrace/messaging';
import type { Outgoing } from './event-buffer';

/**
 * Known by the prediction's id, so that a caller's retry is recognised; its time is when it was answered. It is caused by
 * the deployment, but belongs to the caller's trace.
 */
export function predictionServed(
  data: PredictionServed,
  cause: Cause,
  trace: string | undefined,
): Outgoing<PredictionServed> {
  return {
    definition: events.PredictionServed,
    data,
    id: data.predictionId,
    cause,
    trace: trace ?? null,
    timeMicros: data.servedAtMicros,
  };
}
