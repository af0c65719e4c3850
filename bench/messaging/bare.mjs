// Contender: kafkajs as it is, the same upsert for each batch; no inbox, no outbox, so repeats and losses when it dies. With
// `sends` it also sends the next event of each, with the same headers, before it goes on.
import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { DataArrived, folded, NEXT, NEXT_TOPIC, tellProgress, TOPIC } from './setup.mjs';

const plan = JSON.parse(process.argv[2]);
let handled = 0;
const pool = new pg.Pool({ connectionString: plan.databaseUrl, max: 20 });
const kafka = new Kafka({ brokers: [plan.brokers], logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: plan.group });
const producer = kafka.producer({ idempotent: true });
await consumer.connect();
if (plan.sends) await producer.connect();

function nextOf({ headers }, data) {
  return {
    key: data.recordKey,
    value: Buffer.from(DataArrived.codec.encode({ ...data, stream: NEXT }).finish()),
    headers: {
      'content-type': 'application/protobuf',
      ce_specversion: '1.0',
      ce_id: randomUUID(),
      ce_source: `/bench/${plan.group}`,
      ce_type: DataArrived.type,
      ce_time: new Date().toISOString(),
      ce_subject: data.recordKey,
      ce_correlationid: headers.ce_correlationid,
      ce_causationid: headers.ce_id,
      traceparent: `00-${randomUUID().replaceAll('-', '')}-0000000000000001-01`,
      ce_producershard: plan.group,
      ce_producersequence: '1',
    },
  };
}

await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
await consumer.run({
  partitionsConsumedConcurrently: 4,
  eachBatch: async ({ batch }) => {
    const datas = batch.messages.map(({ value }) => DataArrived.codec.decode(value));
    const events = batch.messages.map(({ key }, index) => ({ key: key.toString(), number: datas[index].upstreamId }));
    await pool.query(...folded(events));
    if (plan.sends) {
      const next = batch.messages.map((message, index) => nextOf(message, datas[index]));
      // A request takes 1 MiB for each partition.
      for (let from = 0; from < next.length; from += 1_000) {
        await producer.send({ topic: NEXT_TOPIC, messages: next.slice(from, from + 1_000) });
      }
    }
    handled += events.length;
  },
});
tellProgress(() => handled);
