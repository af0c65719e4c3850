// Writes events with plain kafkajs, so that nothing of libs/messaging stands at this end. An event counts as published when
// the broker acknowledged it; what is not acknowledged is written again, with the same id and producer sequence.
import { setTimeout as sleep } from 'node:timers/promises';
import contracts from '@headrace/contracts';
import { Partitioners } from 'kafkajs';

const KEYS = 40;
const TICK_MS = 50;
const { codec, type } = contracts.events.DataArrived;

export class Publisher {
  /** Acknowledged, in order. */
  ids = [];
  sequence = 0;
  ofKey = new Map();

  constructor(client, topic, stream) {
    Object.assign(this, { client, topic, stream });
  }

  /** Number `n` of its key; `change` may alter the record before it is written. */
  record({ key = `k${this.sequence % KEYS}`, topic = this.topic, stream = this.stream, id, upstreamId } = {}, change) {
    this.sequence += 1;
    const number = (this.ofKey.get(key) ?? 0) + 1;
    this.ofKey.set(key, number);
    const eventId = id ?? `${this.stream}/${this.sequence}`;
    const data = codec.fromPartial({ stream, recordKey: key, upstreamId: upstreamId ?? String(number) });
    const record = {
      id: eventId,
      topic,
      key,
      value: Buffer.from(codec.encode(data).finish()),
      headers: {
        'content-type': 'application/protobuf',
        ce_specversion: '1.0',
        ce_id: eventId,
        ce_source: '/chaos/publisher',
        ce_type: type,
        ce_time: new Date().toISOString(),
        ce_correlationid: eventId,
        ce_producershard: 'chaos/0',
        ce_producersequence: String(this.sequence),
      },
    };
    change?.(record);
    return record;
  }

  records(count) {
    return Array.from({ length: count }, () => this.record());
  }

  /** Resolves when all are acknowledged. */
  async write(records) {
    while (!this.closed) {
      try {
        this.producer ??= await this.connect();
        const topics = [...new Set(records.map(({ topic }) => topic))];
        await this.producer.sendBatch({
          acks: -1,
          topicMessages: topics.map((topic) => ({
            topic,
            messages: records
              .filter((record) => record.topic === topic)
              .map(({ key, value, headers }) => ({ key, value, headers })),
          })),
        });
        this.ids.push(...records.map(({ id }) => id));
        return;
      } catch (error) {
        this.lastError = error;
        const failed = this.producer;
        this.producer = undefined;
        await failed?.disconnect().catch(() => undefined);
        await sleep(100);
      }
    }
  }

  async connect() {
    const producer = this.client.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 10 },
    });
    await producer.connect();
    return producer;
  }

  /** Steady load until pause(). */
  begin(perSecond) {
    this.going = true;
    const began = performance.now();
    let due = 0;
    this.writing = (async () => {
      while (this.going && !this.closed) {
        // At most what a second brings: after an outage the backlog comes evenly.
        const target = Math.floor(((performance.now() - began) / 1000) * perSecond);
        const now = Math.min(target - due, perSecond);
        due = target;
        if (now > 0) await this.write(this.records(now));
        await sleep(TICK_MS);
      }
    })();
  }

  /** Ends the load; what was begun is acknowledged. */
  async pause() {
    this.going = false;
    await this.writing;
  }

  /** Forgets what the client knew of a topic that was made again. */
  async reconnect() {
    await this.producer?.disconnect();
    this.producer = undefined;
  }

  async close() {
    this.closed = true;
    await this.pause();
    await this.producer?.disconnect().catch(() => undefined);
  }
}
