import type { LoopIndicators } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import { nowMicros } from '@headrace/event-time';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readChanges, readLeadTime, readLoops } from '../database/loop.repository';
import type { Queries } from '../database/sql';
import { CHANGES_OF_MICROS, loopIndicators } from '../domain/loop-indicators';

/** Among so many loops of the past the last that got to each step is looked for. */
const LOOPS = 50;

/** How fast the loop of a model turns. */
@Injectable()
export class ReadLoop {
  private readonly queries: Queries;

  constructor(source: DataSource) {
    this.queries = { query: (sql, parameters) => source.query(sql, parameters && [...parameters]) };
  }

  async run(model: string): Promise<LoopIndicators> {
    const now = nowMicros();
    const loops = await readLoops(this.queries, model, LOOPS);
    const changes = await readChanges(this.queries, model, now - CHANGES_OF_MICROS);
    return loopIndicators({ loops, changes, leadMicros: await readLeadTime(this.queries, model) }, now);
  }
}
