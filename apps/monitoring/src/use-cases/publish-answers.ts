import type { UpstreamWriter } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { markPublished, unpublishedAnswers } from '../database/label-items.repository';

export const UPSTREAM_WRITER = Symbol('UPSTREAM_WRITER');

/**
 * Answers go to the topic that the label's stream reads, as any upstream system's records do: ingestion judges them. What is
 * written is a function of the answer, its id too; written again after a crash it is a repeat, which ingestion drops.
 */
@Injectable()
export class PublishAnswers {
  constructor(
    @Inject(UPSTREAM_WRITER) private readonly writer: UpstreamWriter,
    private readonly source: DataSource,
  ) {}

  async run(): Promise<void> {
    const answers = await unpublishedAnswers(this.source);
    if (answers.length === 0) return;
    await this.writer.write(
      answers.map(({ predictionId, joinKey, topic, record, answeredAt }) => ({
        topic,
        key: Buffer.from(joinKey),
        value: Buffer.from(JSON.stringify(record)),
        headers: {
          ce_specversion: '1.0',
          ce_id: predictionId,
          ce_source: '/headrace/monitoring/labelling',
          ce_type: 'dev.headrace.label.answered',
          ce_time: answeredAt.toISOString(),
          'content-type': 'application/json',
        },
      })),
    );
    await markPublished(
      this.source,
      answers.map(({ predictionId }) => predictionId),
    );
  }
}
