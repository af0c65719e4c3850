import type { Brokers, LogMessage, LogProducer } from './log/port';
import { silentLogger, type MessagingLogger } from './logger';
import { openLog } from './open-log';

/** One record as an upstream system writes it. */
export type UpstreamMessage = Pick<LogMessage, 'topic' | 'key' | 'value'> & {
  readonly headers: Readonly<Record<string, string>>;
};

/** Writes to topics of upstream systems, as those do. */
export interface UpstreamWriter {
  /**
   * Resolves when every in-sync replica has all of it; rejects when a topic does not exist. After a rejection some may be
   * written: what is written again needs the same CloudEvents id, by which ingestion recognises repeats.
   */
  write(messages: readonly UpstreamMessage[]): Promise<void>;
  close(): Promise<void>;
}

/** Connects when it is first used. Nothing of a service's own events goes this way: those have the outbox. */
export function openUpstreamWriter(
  brokers: Brokers,
  clientId: string,
  logger: MessagingLogger = silentLogger,
): UpstreamWriter {
  const log = openLog(brokers, clientId, logger);
  let producing: Promise<LogProducer> | undefined;
  const known = new Set<string>();
  return {
    async write(messages) {
      if (messages.some(({ topic }) => !known.has(topic))) for (const name of await log.topicNames()) known.add(name);
      const missing = messages.find(({ topic }) => !known.has(topic));
      if (missing) throw new Error(`topic "${missing.topic}" does not exist`);
      producing ??= log.connectProducer();
      try {
        await (await producing).send(messages);
      } catch (error) {
        // Its numbers may be out of step with the broker's: the next write begins with a fresh one.
        const broken = producing;
        producing = undefined;
        known.clear();
        await (await broken.catch(() => undefined))?.close().catch(() => undefined);
        throw error;
      }
    },
    async close() {
      await (await producing?.catch(() => undefined))?.close();
      await log.close();
    },
  };
}
