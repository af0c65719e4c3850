import { MICROS, nowMicros } from '@headrace/event-time';
import { exclusively, SETTINGS } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { forgetWindows } from '../database/quality.repository';
import { forgetEvents } from '../database/seen-events.repository';
import type { IngestionSettings } from '../ingestion.config';

const AT_ONCE = 20_000;

/** Keeps the tables that grow with every record within the retention. One instance at a time. */
@Injectable()
export class ForgetTheOld {
  constructor(
    private readonly source: DataSource,
    @Inject(SETTINGS) private readonly settings: IngestionSettings,
  ) {}

  async run(signal?: AbortSignal): Promise<void> {
    const keptMicros = this.settings.INGESTION_RETENTION_DAYS * MICROS.d;
    await exclusively(this.source, 'retention', false, async (queries) => {
      const now = nowMicros();
      while (!signal?.aborted && (await forgetEvents(queries, now - keptMicros, AT_ONCE)));
      await forgetWindows(queries, keptMicros, now);
    });
  }
}
