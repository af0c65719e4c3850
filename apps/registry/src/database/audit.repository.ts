import type { Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { chain, emptyHead, follow, type AuditFacts, type ChainedEntry, type ChainHead } from '../domain/audit-chain';

interface StoredEntry {
  readonly sequence: string;
  readonly at_micros: string;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: Record<string, unknown>;
  readonly previous_hash: string;
  readonly hash: string;
}

const PAGE = 1_000;

/** Appends in the caller's transaction: what is audited and its entry are kept together, or neither. */
export async function appendAudit(transaction: Transaction, facts: Omit<AuditFacts, 'sequence'>): Promise<void> {
  const [head] = await transaction.query<{ sequence: string; hash: string }>(
    'SELECT sequence, hash FROM audit_head FOR UPDATE',
  );
  if (!head) throw new Error('audit_head has no row: the audit log cannot be continued');
  const entry = chain({ sequence: Number(head.sequence), hash: head.hash }, facts);
  await transaction.query(
    `INSERT INTO audit_entries (sequence, at_micros, actor, action, subject, detail, previous_hash, hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      entry.sequence,
      entry.atMicros,
      entry.actor,
      entry.action,
      entry.subject,
      JSON.stringify(entry.detail),
      entry.previousHash,
      entry.hash,
    ],
  );
  await transaction.query('UPDATE audit_head SET sequence = $1, hash = $2', [entry.sequence, entry.hash]);
}

/** Reads and verifies the audit log. */
@Injectable()
export class AuditRepository {
  constructor(private readonly source: DataSource) {}

  /**
   * Entries after a sequence (about these subjects; none named: all), and whether the whole chain holds, from the first
   * entry to the newest.
   */
  async list(
    afterSequence: number,
    limit: number,
    subjects: readonly string[] = [],
  ): Promise<{ readonly entries: readonly ChainedEntry[]; readonly chainIntact: boolean }> {
    // One snapshot: an entry that is appended meanwhile must not look like a broken chain.
    return this.source.transaction('REPEATABLE READ', async (manager) => {
      const page = async (after: number, size: number, about: readonly string[] = []): Promise<ChainedEntry[]> => {
        const sql = `SELECT * FROM audit_entries
          WHERE sequence > $1 AND ($3::text[] = '{}' OR subject = ANY ($3)) ORDER BY sequence LIMIT $2`;
        return (await manager.query<StoredEntry[]>(sql, [after, size, about])).map(entryOf);
      };
      let head: ChainHead | undefined = emptyHead;
      for (let next = await page(0, PAGE); head && next.length > 0; next = await page(head.sequence, PAGE)) {
        head = follow(head, next);
        if (!head) break;
      }
      const [stored] = await manager.query<{ sequence: string; hash: string }[]>(
        'SELECT sequence, hash FROM audit_head',
      );
      const chainIntact =
        head !== undefined && head.sequence === Number(stored?.sequence) && head.hash === stored?.hash;
      return { entries: await page(afterSequence, limit, subjects), chainIntact };
    });
  }
}

function entryOf(row: StoredEntry): ChainedEntry {
  return {
    sequence: Number(row.sequence),
    atMicros: Number(row.at_micros),
    actor: row.actor,
    action: row.action,
    subject: row.subject,
    detail: row.detail,
    previousHash: row.previous_hash,
    hash: row.hash,
  };
}
