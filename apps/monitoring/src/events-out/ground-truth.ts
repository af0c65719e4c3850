import { events } from '@headrace/contracts';
import type { Transaction } from '@headrace/messaging';
import type { Joined } from '../database/outcomes.repository';

/** One event for each prediction whose truth became known or was corrected; it follows from the label's DataArrived. */
export function publishGroundTruth(transaction: Transaction, joined: readonly Joined[]): void {
  for (const one of joined) {
    transaction.publish(
      events.GroundTruthArrived,
      {
        model: one.model,
        endpoint: one.endpoint,
        predictionId: one.predictionId,
        joinKey: one.joinKey,
        label: one.label,
        predictionTimeMicros: one.asOfMicros,
        labelKnownMicros: one.labelKnownMicros,
        version: one.version,
        output: one.output,
      },
      {
        subject: one.predictionId,
        cause: {
          eventId: one.labelEventId,
          correlationId: one.labelCorrelationId,
          ...(one.labelTraceparent === null ? {} : { traceparent: one.labelTraceparent }),
        },
      },
    );
  }
}
