// Every alert: the fault that brings it about, and what its runbook says to do. `says` stands in the runbook, word for word.
// { alerts, lingers?, fault: { what, does }, fireMs?, steps: [{ says, does }], after? }
//   lingers: they fire too, and end only when what is past has left their long window; that is awaited at the very end.
//   fireMs: how long the alert may take, when a threshold in seconds of the wall clock makes it slow.
//   does: gets the world; a fault may give a function that ends it, for the steps to call as `world.endFault()`.
//   after: puts back what the drill changed and the runbook does not speak of.
import { modelDrills } from './model-drills.mjs';
import { BEHIND_MS } from './world.mjs';

const without =
  (field, kind = 'Endpoint') =>
  (definition) => {
    if (definition.kind === kind) delete definition.spec[field];
  };

const serving = [
  {
    alerts: ['ServiceDown'],
    fault: { what: 'training stands still (SIGSTOP)', does: (world) => world.freeze('training') },
    steps: [{ says: 'It runs and does not answer', does: (world) => world.restart('training') }],
  },
  {
    alerts: ['GatewayErrors', 'PredictAvailabilityBurnsFast'],
    lingers: ['PredictAvailabilityBurnsSlowly'],
    fault: {
      what: 'the endpoint loses its fallback, then the feature store stands still',
      does: async (world) => {
        await world.apply('parcels', without('fallback'));
        world.freeze('feature-store');
      },
    },
    steps: [{ says: 'declare a `fallback` for the endpoint', does: (world) => world.apply('parcels') }],
    after: (world) => world.thaw('feature-store'),
  },
  {
    alerts: ['GatewayFallbacks'],
    fault: { what: 'the feature store stands still', does: (world) => world.freeze('feature-store') },
    steps: [{ says: 'The feature store is away: start it', does: (world) => world.restart('feature-store') }],
  },
  {
    alerts: ['GatewayLatency', 'PredictLatencyBurnsFast'],
    lingers: ['PredictLatencyBurnsSlowly'],
    fault: {
      what: 'the application asks as of a day that has not come',
      does: (world) => {
        world.aheadMs = 30 * 86_400_000;
      },
    },
    steps: [
      {
        says: 'A shorter `features.timeout`',
        does: (world) =>
          world.apply('parcels', ({ kind, spec }) => {
            if (kind === 'Endpoint') spec.features.timeout = '20ms';
          }),
      },
    ],
    after: async (world) => {
      world.aheadMs = -BEHIND_MS;
      await world.apply('parcels');
    },
  },
];

const events = [
  {
    alerts: ['RecordsRejected'],
    fault: {
      what: 'upstream sends records without a depot',
      does: (world) =>
        world.repeatedly(async (round) => {
          const messages = Array.from({ length: 50 }, (_, n) => malformed(`9-${50 * round + n}`));
          await world.send('parcels.sent', messages);
        }),
    },
    steps: [
      {
        says: 'npx headrace rejected <stream>',
        does: async (world) => {
          const text = await world.headrace('rejected', 'parcels-sent', '--last', '5');
          if (!text.includes('depot')) throw new Error(`the violation is not shown: ${text}`);
        },
      },
      { says: 'its owners mend it', does: (world) => world.endFault() },
    ],
  },
  {
    alerts: ['DeadLetters'],
    fault: {
      what: 'another producer writes to training.v1',
      does: (world) => world.send('training.v1', [{ key: 'parcels', value: 'no event of the catalogue' }]),
    },
    steps: [
      {
        says: 'npx headrace dlq list',
        does: async (world) => {
          ({ letters: world.letters } = JSON.parse(
            await world.headrace('dlq', 'list', '--topic', 'training.v1', '--json'),
          ));
          if (world.letters.length === 0) throw new Error('no letter is listed');
        },
      },
      {
        says: 'npx headrace dlq drop training.v1/2/1041 --reason "test data"',
        does: async (world) => {
          for (const { event, group } of world.letters)
            await world.headrace('dlq', 'drop', event, '--group', group, '--reason', 'test data');
        },
      },
      {
        says: '`npx headrace dlq list` says `(none)`',
        does: async (world) => {
          const text = await world.headrace('dlq', 'list', '--topic', 'training.v1');
          if (!text.includes('(none)')) throw new Error(`letters are left: ${text}`);
        },
      },
    ],
  },
  {
    alerts: ['ConsumerLagGrowing'],
    fault: {
      what: 'a forgotten transaction locks the table of predictions',
      does: lockPredictions,
    },
    steps: [
      {
        says: "SELECT pid, now() - query_start AS age, state, query\n    FROM pg_stat_activity WHERE state <> 'idle' ORDER BY age DESC LIMIT 10",
        does: async (world) => {
          const rows = await world.sql(
            "SELECT pid, now() - query_start AS age, state, query FROM pg_stat_activity WHERE state <> 'idle' ORDER BY age DESC LIMIT 10",
          );
          world.blocking = rows.find(
            ({ state, query }) => state === 'idle in transaction' && query.startsWith('LOCK TABLE'),
          );
          if (!world.blocking) throw new Error('the blocking transaction is not shown');
        },
      },
      {
        says: 'end a query that blocks others',
        does: (world) => world.sql('SELECT pg_terminate_backend($1)', [world.blocking.pid]),
      },
    ],
    after: (world) => world.endFault(),
  },
  {
    alerts: ['EventsInTimeBurnsFast'],
    lingers: ['EventsInTimeBurnsSlowly'],
    fault: {
      // Not frozen: Prometheus has to see the moment at which it catches up, and its short windows are seconds here.
      what: 'a transaction locks the table of predictions for 25 s',
      does: async (world) => {
        const end = await lockPredictions(world);
        await world.pause(25_000);
        await end();
      },
    },
    steps: [
      {
        says: 'A group that was away catches up on old events: that counts, and ends by itself',
        does: () => undefined,
      },
    ],
  },
  {
    alerts: ['PartitionPaused'],
    fault: { what: 'Postgres is stopped', does: (world) => world.postgres.stop() },
    steps: [{ says: 'start Postgres or Kafka', does: (world) => world.postgres.restart() }],
  },
  {
    alerts: ['OutboxAge', 'PredictionLogDropped'],
    fault: {
      what: 'Kafka is stopped; a definition is applied meanwhile',
      does: async (world) => {
        await world.kafka.stop();
        await world.applyOnly('parcels', ({ kind, metadata }) => {
          if (kind === 'DataStream') metadata.description = 'Applied while Kafka was away.';
        });
      },
    },
    steps: [{ says: 'Kafka is away: start it', does: (world) => world.kafka.restart() }],
    after: (world) => world.apply('parcels'),
  },
];

/** Gives what ends it. */
async function lockPredictions(world) {
  const client = await world.connection();
  await client.query('BEGIN');
  await client.query('LOCK TABLE monitoring.predictions IN SHARE MODE');
  return () => client.end();
}

function malformed(parcel) {
  return {
    key: parcel,
    value: JSON.stringify({ parcel, sent: new Date().toISOString() }),
    headers: {
      ce_specversion: '1.0',
      ce_id: `malformed-${parcel}`,
      ce_source: '/parcel-service',
      ce_type: 'com.example.parcel.sent',
      'content-type': 'application/json',
    },
  };
}

export const drills = [...serving, ...events, ...modelDrills];
