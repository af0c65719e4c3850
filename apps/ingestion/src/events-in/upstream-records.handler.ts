import { OnRecordBatch, type Outcome, type RawRecord, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { AcceptRecords } from '../use-cases/accept-records';
import { KnownStreams, RECORDS_GROUP } from '../known-streams';

@Controller()
export class UpstreamRecordsHandler {
  constructor(
    private readonly streams: KnownStreams,
    private readonly acceptRecords: AcceptRecords,
  ) {}

  @OnRecordBatch(RECORDS_GROUP, { deadLetter: 'reorder-safe' })
  async onRecords(records: RawRecord[], transaction: Transaction): Promise<Outcome[] | void> {
    const topic = records[0]?.topic ?? '';
    const stream = this.streams.ofTopic(topic);
    // A stream has just moved to another topic; the subscription to this one is about to end.
    if (!stream) return records.map(() => ({ kind: 'transient', message: `no stream reads ${topic}` }));
    await this.acceptRecords.run(stream.rules, records, transaction);
  }
}
