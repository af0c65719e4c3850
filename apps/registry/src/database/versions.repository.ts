import { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import type { Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import type { GateEvaluation } from '../domain/gates';
import { AliasRow, ModelVersionRow, type StoredGate } from './version.table';

/** Model versions, their gates and aliases. */
@Injectable()
export class VersionsRepository {
  constructor(private readonly source: DataSource) {}

  async ofRun(transaction: Transaction, runId: string): Promise<ModelVersionRow | null> {
    return transaction.manager.findOneBy(ModelVersionRow, { runId });
  }

  async find(transaction: Transaction, model: string, version: number): Promise<ModelVersionRow | null> {
    return transaction.manager.findOneBy(ModelVersionRow, { model, version });
  }

  async nextNumber(transaction: Transaction, model: string): Promise<number> {
    const [row] = await transaction.query<{ next: string }>(
      'SELECT COALESCE(MAX(version), 0) + 1 AS next FROM model_versions WHERE model = $1',
      [model],
    );
    return Number(row?.next ?? 1);
  }

  async newestServable(transaction: Transaction, model: string): Promise<ModelVersionRow | null> {
    return transaction.manager.findOne(ModelVersionRow, {
      where: { model, state: In(['validated', 'waived']) },
      order: { version: 'DESC' },
    });
  }

  /** 0: the alias points nowhere. */
  async aliased(transaction: Transaction, model: string, alias: string): Promise<number> {
    const row = await transaction.manager.findOneBy(AliasRow, { model, alias });
    return row?.version ?? 0;
  }

  async list(model: string): Promise<{ versions: ModelVersionRow[]; aliases: AliasRow[] }> {
    const [versions, aliases] = await Promise.all([
      this.source.getRepository(ModelVersionRow).find({ where: { model }, order: { version: 'ASC' } }),
      this.source.getRepository(AliasRow).find({ where: { model }, order: { alias: 'ASC' } }),
    ]);
    return { versions, aliases };
  }
}

export function trainedOf(row: ModelVersionRow): ModelTrained {
  return ModelTrained.fromJSON(row.trained);
}

export function storedGates(evaluations: readonly GateEvaluation[]): StoredGate[] {
  return evaluations.map((evaluation) => ({ ...evaluation, measured: evaluation.measured ?? null }));
}

export function gatesOf(stored: readonly StoredGate[]): GateEvaluation[] {
  return stored.map((gate) => ({ ...gate, measured: gate.measured ?? undefined }));
}
