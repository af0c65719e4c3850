import { KafkaEventServer } from '@headrace/messaging';
import type { Replayable } from '@headrace/service-kit';
import { DATA_GROUP } from './known-views';
import { FillViews } from './use-cases/fill-views';
import { Workers } from './workers';

/** The values of features, from the data topics. Ids of view versions are this schema's own, so names stand for them. */
export const featureStoreReplay: Replayable = {
  server: KafkaEventServer,
  groups: {
    [DATA_GROUP]: {
      projection: {
        feature_records: `
          SELECT v.name, v.version, r.entity, r.event_time, r.known_time, r.partition, r."offset", r.inputs
            FROM feature_records r JOIN view_versions v ON v.id = r.view_id WHERE NOT v.replaced`,
        stream_progress: 'SELECT stream, partition, watermark FROM stream_progress',
      },
      finish: async (app) => {
        // Views that were applied meanwhile are filled, as in life.
        await app.get(FillViews).run();
        await app.get(Workers).prune();
      },
    },
  },
};
