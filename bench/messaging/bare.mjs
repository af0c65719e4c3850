// Contender: kafkajs as it is, the same upsert for each batch; no inbox, no outbox, so repeats and losses when it dies.
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { DataArrived, folded, tellProgress, TOPIC } from './setup.mjs';

const plan = JSON.parse(process.argv[2]);
let handled = 0;
const pool = new pg.Pool({ connectionString: plan.databaseUrl, max: 20 });
const consumer = new Kafka({ brokers: [plan.brokers], logLevel: logLevel.ERROR }).consumer({ groupId: plan.group });
await consumer.connect();
await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
await consumer.run({
  partitionsConsumedConcurrently: 4,
  eachBatch: async ({ batch }) => {
    const events = batch.messages.map(({ key, value }) => ({
      key: key.toString(),
      number: DataArrived.codec.decode(value).upstreamId,
    }));
    await pool.query(...folded(events));
    handled += events.length;
  },
});
tellProgress(() => handled);
