// Gates that wait for the replay of their version.
import type { Cause, Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Gate } from '../domain/gates';

export interface WaitingReplay {
  readonly model: string;
  readonly version: number;
  readonly gate: Gate;
  /** Content hash of the Model that declared the gate. */
  readonly definitionVersion: string;
  readonly deadlineMicros: number;
  readonly cause: Cause;
}

interface Row {
  readonly model: string;
  readonly version: number;
  readonly declared: Gate;
  readonly definition_version: string;
  readonly deadline: number;
  readonly cause: Cause;
}

const COLUMNS = `model, version::float8 AS version, declared, definition_version,
  deadline_micros::float8 AS deadline, cause`;

@Injectable()
export class WaitingReplaysRepository {
  constructor(private readonly source: DataSource) {}

  async add(transaction: Transaction, waiting: WaitingReplay): Promise<void> {
    const { model, version, gate, definitionVersion, deadlineMicros, cause } = waiting;
    await transaction.query(
      `INSERT INTO waiting_replays (model, version, gate, declared, definition_version, deadline_micros, cause)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [model, version, gate.name, JSON.stringify(gate), definitionVersion, deadlineMicros, JSON.stringify(cause)],
    );
  }

  /** Of one version; the decision lock is held. */
  async of(transaction: Transaction, model: string, version: number): Promise<WaitingReplay[]> {
    const sql = `SELECT ${COLUMNS} FROM waiting_replays WHERE model = $1 AND version = $2 ORDER BY gate`;
    return (await transaction.query<Row>(sql, [model, version])).map(waitingOf);
  }

  async overdue(nowMicros: number): Promise<WaitingReplay[]> {
    const sql = `SELECT ${COLUMNS} FROM waiting_replays WHERE deadline_micros < $1 ORDER BY deadline_micros`;
    return (await this.source.query<Row[]>(sql, [nowMicros])).map(waitingOf);
  }

  async remove(transaction: Transaction, model: string, version: number, gate?: string): Promise<void> {
    await transaction.query(
      'DELETE FROM waiting_replays WHERE model = $1 AND version = $2 AND ($3::text IS NULL OR gate = $3)',
      [model, version, gate ?? null],
    );
  }
}

function waitingOf({ model, version, declared, definition_version, deadline, cause }: Row): WaitingReplay {
  return { model, version, gate: declared, definitionVersion: definition_version, deadlineMicros: deadline, cause };
}
