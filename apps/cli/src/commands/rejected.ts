import { topicOf, topics } from '@headrace/contracts';
import type { DataRejected } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { formatTime } from '@headrace/event-time';
import { openLogReader } from '@headrace/messaging';
import type { Connection } from '../connection';
import { printRows } from '../output';

const SHOWN_CHARACTERS = 120;

/** The last refused records of a stream, from its quarantine topic, one row for each violation. */
export async function printRejected(connection: Connection, stream: string, last: number): Promise<void> {
  const topic = topicOf(topics.quarantine, stream);
  const reader = openLogReader({ brokers: connection.kafka(), clientId: 'headrace-cli' });
  const records: DataRejected[] = [];
  try {
    const ends = await reader.endOffsets(topic);
    const ranges = new Map([...ends].map(([partition, to]) => [partition, { from: Math.max(0, to - last), to }]));
    if (ranges.size > 0)
      await reader.readRange(topic, ranges, (batch) => {
        for (const event of batch) records.push(event.data as DataRejected);
      });
  } finally {
    await reader.close();
  }
  printRows(
    records.slice(-last).flatMap((record) =>
      record.violations.map(({ field, code, message }) => ({
        at: formatTime(record.rejectedAtMicros).slice(0, 19),
        origin: `${record.origin?.topic}/${record.origin?.partition}/${record.origin?.offset}`,
        field: field === '' ? '(record)' : field,
        code,
        message,
        original: Buffer.from(record.originalValue).toString('utf8').slice(0, SHOWN_CHARACTERS),
      })),
    ),
    false,
  );
}
