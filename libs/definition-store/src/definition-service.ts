import { DomainError, events } from '@headrace/contracts';
import { DefinitionPhase, type DefinitionChanged } from '@headrace/contracts/proto/definitions/v1/definitions_events';
import {
  ApplyOutcome,
  type ApplyRequest,
  type ApplyResponse,
  type DefinitionServiceServer,
  type ListResponse,
} from '@headrace/contracts/proto/definitions/v1/definitions_service';
import {
  canonicalJson,
  ownerOf,
  referencesOf,
  validateDefinition,
  versionOf,
  type Definition,
  type Kind,
} from '@headrace/definitions';
import type { CallContext, UnaryMethods } from '@headrace/grpc';
import { UNIT_OF_WORK, type Transaction, type UnitOfWork } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DefinitionReader } from './definition-reader';
import { DefinitionRow } from './definition.table';
import { diffDocuments } from './diff';

export interface DefinitionOwner {
  /** Kinds that this service owns. */
  readonly owns: readonly Kind[];
  /** Faults beyond the schema, each a sentence that names the field. `others`: owned definitions already known. */
  readonly validate?: (definition: Definition, others: readonly Definition[]) => readonly string[];
  /**
   * Faults against what it refers to, as far as that is known: the same kind of sentences. While there are any an applied
   * definition is refused; one that came before what it refers to stays Pending.
   */
  readonly conflicts?: (definition: Definition, known: DefinitionReader) => readonly string[];
  /** Runs in the same transaction as a change (an audit entry, for example). */
  readonly onChanged?: (definition: Definition, actor: string, transaction: Transaction) => Promise<void>;
}

export const DEFINITION_OWNER = Symbol('DEFINITION_OWNER');

/** Takes in, keeps and publishes the definitions of the kinds that this service owns. */
@Injectable()
export class DefinitionService implements UnaryMethods<DefinitionServiceServer>, OnApplicationBootstrap {
  private settling = Promise.resolve();

  constructor(
    @Inject(DEFINITION_OWNER) private readonly owner: DefinitionOwner,
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly source: DataSource,
    private readonly reader: DefinitionReader,
  ) {}

  onApplicationBootstrap(): void {
    this.reader.onAnyChange(() => {
      this.settling = this.settling
        .then(() => this.settlePending())
        .catch((error: unknown) => this.logger.error({ err: error }, 'pending definitions could not be settled'));
    });
  }

  async apply(request: ApplyRequest, context: CallContext): Promise<ApplyResponse> {
    const definition = this.accepted(request.documentJson);
    const version = versionOf(definition);
    const document = canonicalJson(definition);
    return this.work.run(async (transaction) => {
      // One writer for each service: generations rise without gaps and validation sees the others.
      await transaction.query(`SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.definitions'))`);
      await this.refuseInvalid(definition, transaction);
      const previous = await transaction.manager.findOneBy(DefinitionRow, {
        kind: definition.kind,
        name: definition.metadata.name,
      });
      const changes = diffDocuments(previous ? (JSON.parse(previous.document) as unknown) : {}, JSON.parse(document));
      const unchanged = previous?.document === document;
      const generation = unchanged ? Number(previous.generation) : Number(previous?.generation ?? 0) + 1;
      const outcome = unchanged ? ApplyOutcome.UNCHANGED : previous ? ApplyOutcome.UPDATED : ApplyOutcome.CREATED;
      if (!unchanged && !request.dryRun) {
        const waitingFor = this.missingReferences(definition);
        const row = transaction.manager.create(DefinitionRow, {
          kind: definition.kind,
          name: definition.metadata.name,
          version,
          generation: String(generation),
          document,
          phase: waitingFor.length === 0 ? 'ready' : 'pending',
          changedBy: context.caller?.subject ?? 'unknown',
        });
        await transaction.manager.save(row);
        transaction.publish(events.DefinitionChanged, messageOf(row, waitingFor), { cause: null });
        await this.owner.onChanged?.(definition, row.changedBy, transaction);
      }
      return { outcome, version, generation, changes: unchanged ? [] : changes };
    });
  }

  async list(): Promise<ListResponse> {
    const rows = await this.source.getRepository(DefinitionRow).find({ order: { kind: 'ASC', name: 'ASC' } });
    return {
      definitions: rows.map((row) => messageOf(row, this.waitingFor(row))),
    };
  }

  private accepted(documentJson: string): Definition {
    let input: unknown;
    try {
      input = JSON.parse(documentJson);
    } catch (error) {
      throw new DomainError('invalid', 'bad_json', `document_json: ${(error as Error).message}`);
    }
    const result = validateDefinition(input);
    if (result.kind === 'invalid') {
      const faults = result.faults.map((fault) => `${fault.path.map(String).join('.')}: ${fault.message}`);
      throw new DomainError('invalid', 'bad_definition', faults.join('; '));
    }
    const { definition } = result;
    if (!this.owner.owns.includes(definition.kind)) {
      throw new DomainError(
        'precondition',
        'wrong_owner',
        `kind: ${definition.kind} belongs to ${ownerOf[definition.kind]}`,
      );
    }
    return definition;
  }

  private async refuseInvalid(definition: Definition, transaction: Transaction): Promise<void> {
    const rows = await transaction.manager.find(DefinitionRow);
    const others = rows
      .filter((row) => row.kind !== definition.kind || row.name !== definition.metadata.name)
      .map((row) => JSON.parse(row.document) as Definition);
    const faults = [
      ...(this.owner.validate?.(definition, others) ?? []),
      ...(this.owner.conflicts?.(definition, this.reader) ?? []),
    ];
    if (faults.length > 0) throw new DomainError('invalid', 'bad_definition', faults.join('; '));
  }

  private missingReferences(definition: Definition): string[] {
    return referencesOf(definition).filter((reference) => !this.reader.has(reference));
  }

  /** What a definition that is kept here is not Ready for: references that are not known, or faults against those that are. */
  private waitingFor(row: DefinitionRow): string[] {
    const definition = JSON.parse(row.document) as Definition;
    return [...this.missingReferences(definition), ...(this.owner.conflicts?.(definition, this.reader) ?? [])];
  }

  /** Pending definitions whose references have become known, and to which they fit, are published as Ready. */
  private async settlePending(): Promise<void> {
    const pending = await this.source.getRepository(DefinitionRow).findBy({ phase: 'pending' });
    if (!pending.some((row) => this.waitingFor(row).length === 0)) return;
    await this.work.run(async (transaction) => {
      await transaction.query(`SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.definitions'))`);
      for (const row of await transaction.manager.findBy(DefinitionRow, { phase: 'pending' })) {
        if (this.waitingFor(row).length > 0) continue;
        row.phase = 'ready';
        await transaction.manager.save(row);
        transaction.publish(events.DefinitionChanged, messageOf(row, []), { cause: null });
      }
    });
  }
}

function messageOf(row: DefinitionRow, waitingFor: readonly string[]): DefinitionChanged {
  return {
    kind: row.kind,
    name: row.name,
    version: row.version,
    generation: Number(row.generation),
    documentJson: row.document,
    phase: row.phase === 'ready' ? DefinitionPhase.READY : DefinitionPhase.PENDING,
    waitingFor: [...waitingFor],
    changedBy: row.changedBy,
  };
}
