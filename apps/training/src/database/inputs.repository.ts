import type { Cause, Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import type { Champion } from '../domain/signature';
import type { KnownDatasetVersion } from '../domain/snapshot';
import { ChampionRow, DatasetVersionRow } from './dataset-version.table';

export interface NewestDatasetVersion extends KnownDatasetVersion {
  readonly event: Cause;
}

/** What other services' events told: dataset versions and champions. */
@Injectable()
export class InputsRepository {
  async addDatasetVersion(transaction: Transaction, version: NewestDatasetVersion): Promise<void> {
    await transaction.manager.upsert(DatasetVersionRow, { ...version }, ['stream', 'version']);
  }

  /** The newest version of each of the streams that has one. */
  async newest(transaction: Transaction, streams: readonly string[]): Promise<Map<string, NewestDatasetVersion>> {
    const rows = await transaction.manager
      .createQueryBuilder(DatasetVersionRow, 'known')
      .distinctOn(['known.stream'])
      .where('known.stream = ANY (:streams)', { streams: [...streams] })
      .orderBy('known.stream')
      .addOrderBy('known.version', 'DESC')
      .getMany();
    return new Map(rows.map((row) => [row.stream, row]));
  }

  async setChampion(transaction: Transaction, model: string, champion: Champion | undefined): Promise<void> {
    if (champion) await transaction.manager.save(ChampionRow, { model, ...champion, features: [...champion.features] });
    else await transaction.manager.delete(ChampionRow, { model });
  }

  async champion(transaction: Transaction, model: string): Promise<Champion | undefined> {
    const row = await transaction.manager.findOneBy(ChampionRow, { model });
    return row ? { version: row.version, digest: row.digest, features: row.features } : undefined;
  }
}
