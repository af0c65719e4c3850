import { KafkaEventServer } from '@headrace/messaging';
import type { Replayable } from '@headrace/service-kit';
import { DecisionsTimer } from './timers/decisions.timer';
import { GROUP } from './watched-monitors';

/**
 * Predictions, labels and how they were joined, by the monitors as they are defined now, and where windows by count were cut.
 * What was decided from them is not built again: that is on the log, and the order in which facts came is not that of life.
 */
export const monitoringReplay: Replayable = {
  server: KafkaEventServer,
  groups: {
    [GROUP]: {
      projection: {
        predictions: 'SELECT * FROM served_predictions',
        // Without the fields that metrics read: those of before a metric was declared are on the log alone.
        labels: `SELECT source, key, value, event_time, known_time, published, event_id, correlation_id, traceparent
          FROM labels`,
        outcomes: 'SELECT * FROM outcomes',
        stream_progress: 'SELECT * FROM stream_progress',
        deployments: 'SELECT * FROM deployments',
        window_cuts: 'SELECT * FROM window_cuts',
      },
      finish: (app) => app.get(DecisionsTimer, { strict: false }).forget(),
    },
  },
};
