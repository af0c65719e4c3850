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

/** The same answer for the same prediction id, whichever gateway asks: FNV-1a spreads ids over [0, 1). */
export function isLogged(predictionId: string, sampleRate: number): boolean {
  if (sampleRate >= 1) return true;
  let hash = 0x811c9dc5;
  for (let index = 0; index < predictionId.length; index += 1) {
    hash = Math.imul(hash ^ predictionId.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) / 0x1_0000_0000 < sampleRate;
}
