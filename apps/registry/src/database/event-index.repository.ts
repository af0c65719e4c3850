import type { Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { IndexedEvent } from '../domain/indexed-events';

/** Longest chain that is followed. */
const MAX_CHAIN = 1_000;
const MAX_EFFECTS = 1_000;

type Row = Omit<IndexedEvent, 'timeMicros'> & { readonly timeMicros: string };

/** Which event caused which: of all events but the bulk ones, and of the bulk ones that others name as evidence. */
@Injectable()
export class EventIndexRepository {
  constructor(private readonly source: DataSource) {}

  /** An event known already stays as it is. */
  async add(transaction: Transaction, added: readonly IndexedEvent[]): Promise<void> {
    if (added.length === 0) return;
    // In one order always: two batches that name the same evidence must not wait for each other in a circle.
    const events = added.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    await transaction.query(
      `INSERT INTO event_index (id, type, topic, subject, time_micros, causation_id, correlation_id)
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[])
       ON CONFLICT (id) DO NOTHING`,
      [
        events.map((event) => event.id),
        events.map((event) => event.type),
        events.map((event) => event.topic),
        events.map((event) => event.subject),
        events.map((event) => event.timeMicros),
        events.map((event) => event.causationId),
        events.map((event) => event.correlationId),
      ],
    );
  }

  /** From the first known cause to the event itself; empty when the event is unknown. */
  async chainOf(eventId: string): Promise<IndexedEvent[]> {
    const rows = await this.source.query<Row[]>(
      `WITH RECURSIVE walk AS (
         SELECT found.*, 1 AS depth, ARRAY[found.id] AS seen FROM event_index found WHERE found.id = $1
         UNION ALL
         SELECT cause.*, walk.depth + 1, walk.seen || cause.id
         FROM walk JOIN event_index cause ON cause.id = walk.causation_id
         WHERE walk.depth < $2 AND NOT cause.id = ANY (walk.seen)
       )
       SELECT id, type, topic, subject, time_micros AS "timeMicros", causation_id AS "causationId",
         correlation_id AS "correlationId"
       FROM walk ORDER BY depth DESC`,
      [eventId, MAX_CHAIN],
    );
    return rows.map(indexed);
  }

  /** Everything that the event brought about, directly or not, nearest first and at most MAX_EFFECTS. */
  async effectsOf(eventId: string): Promise<{ effects: IndexedEvent[]; effectsCut: boolean }> {
    // UNION: an event has one cause, so it comes once; a circle, which no honest producer writes, ends.
    const rows = await this.source.query<Row[]>(
      `WITH RECURSIVE walk AS (
         SELECT id, type, topic, subject, time_micros, causation_id, correlation_id
         FROM event_index WHERE causation_id = $1 AND id <> $1
         UNION
         SELECT effect.id, effect.type, effect.topic, effect.subject, effect.time_micros, effect.causation_id,
           effect.correlation_id
         FROM walk JOIN event_index effect ON effect.causation_id = walk.id AND effect.id <> $1
       )
       SELECT id, type, topic, subject, time_micros AS "timeMicros", causation_id AS "causationId",
         correlation_id AS "correlationId"
       FROM walk LIMIT $2`,
      [eventId, MAX_EFFECTS + 1],
    );
    return { effects: rows.slice(0, MAX_EFFECTS).map(indexed), effectsCut: rows.length > MAX_EFFECTS };
  }
}

function indexed(row: Row): IndexedEvent {
  return { ...row, timeMicros: Number(row.timeMicros) };
}
