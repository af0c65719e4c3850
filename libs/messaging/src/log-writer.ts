// Acknowledged writes to the log: one idempotent producer, known topics, requests the broker accepts.
import type { EventLog, LogMessage, LogProducer } from './log/port';
import { HeaderBlock } from './record-bytes';
import { createTopics } from './topics';

/** All messages of a send to a partition make one record batch, and the broker limits a batch to 1 MiB. */
const MAX_BATCH_BYTES = 900_000;
const MAX_BATCH_MESSAGES = 1000;
/** Lengths, deltas and attributes of a record, at most. */
const RECORD_BYTES = 50;

export class LogWriter {
  private readonly known = new Set<string>();
  private producing: Promise<LogProducer> | undefined;

  constructor(private readonly log: EventLog) {}

  /** In order; resolves when every in-sync replica has all. */
  async write(messages: readonly LogMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await this.ensure(messages);
    const producer = await this.producer();
    try {
      for (const batch of batches(messages)) await producer.send(batch);
    } catch (error) {
      // Its sequence numbers may be out of step with the broker now: the next write begins with a fresh one.
      this.producing = undefined;
      this.known.clear();
      await producer.close().catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    const producer = await this.producing?.catch(() => undefined);
    this.producing = undefined;
    await producer?.close();
  }

  private async ensure(messages: readonly LogMessage[]): Promise<void> {
    const unknown = [...new Set(messages.map(({ topic }) => topic))].filter((topic) => !this.known.has(topic));
    if (unknown.length === 0) return;
    await createTopics(this.log, unknown);
    for (const topic of unknown) this.known.add(topic);
  }

  private producer(): Promise<LogProducer> {
    this.producing ??= this.log.connectProducer().catch((error: unknown) => {
      this.producing = undefined;
      throw error;
    });
    return this.producing;
  }
}

/** What headers take when nobody has encoded them yet. */
const USUAL_HEADER_BYTES = 600;

export function* batches<M extends Pick<LogMessage, 'key' | 'value' | 'headers'>>(
  messages: readonly M[],
): Generator<M[]> {
  let batch: M[] = [];
  let bytes = 0;
  for (const message of messages) {
    const headers = message.headers instanceof HeaderBlock ? message.headers.bytes.length : USUAL_HEADER_BYTES;
    const size = (message.key?.byteLength ?? 0) + (message.value?.byteLength ?? 0) + headers + RECORD_BYTES;
    if (batch.length > 0 && (bytes + size > MAX_BATCH_BYTES || batch.length >= MAX_BATCH_MESSAGES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(message);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
