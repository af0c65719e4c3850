import { DomainError } from '@headrace/contracts';
import {
  FeatureStatus,
  type FeatureRef,
  type FeatureRow,
  type FeatureVector,
} from '@headrace/contracts/proto/features/v1/features_service';
import { Injectable } from '@nestjs/common';
import { onlineRowsTotal } from '../feature-store-metrics';
import { entityKeyOf, type CompiledView } from '../domain/feature-view';
import { KnownViews } from '../known-views';
import { evaluateRequest, planOnlineRead, type OnlinePlan, type ViewPart } from '../online/online-plan';
import { OnlineReader, type Found } from '../online/online-reader';
import { Watermarks } from '../online/watermarks';

const MAXIMUM_ROWS = 10_000;
const KNOWN_PLANS = 200;
const EXACT = { status: 'exact' };
const STALE = { status: 'stale' };

/** A row that is being answered. */
interface Row {
  readonly asOfMicros: number;
  readonly exact: boolean;
  readonly values: number[];
  readonly statuses: FeatureStatus[];
}

/** Features of many rows, each exact as of its own moment. */
@Injectable()
export class ReadOnlineFeatures {
  /** By the asked features and the contents of their views. */
  private readonly plans = new Map<string, OnlinePlan>();

  constructor(
    private readonly views: KnownViews,
    private readonly watermarks: Watermarks,
    private readonly reader: OnlineReader,
  ) {}

  async run(features: readonly FeatureRef[], rows: readonly FeatureRow[], maxWaitMs: number): Promise<FeatureVector[]> {
    if (rows.length > MAXIMUM_ROWS)
      throw new DomainError('exhausted', 'too_many_rows', `rows: ${rows.length}, expected at most ${MAXIMUM_ROWS}`);
    // "Now" is whatever is known: nobody could wait for it.
    const now = rows.some(({ asOfMicros }) => asOfMicros === 0) ? await this.watermarks.recent() : 0;
    const plan = this.planOf(features);
    rows.forEach((row, index) => checkEntities(plan, row, index));
    const vectors = new Array<FeatureVector>(rows.length);
    const waiting: Promise<unknown>[] = [];
    rows.forEach((row, index) => {
      const asOfMicros = row.asOfMicros || now;
      const known = row.asOfMicros === 0 || this.watermarks.of(plan.streams) >= asOfMicros;
      const answer = known
        ? this.readRow(plan, row, asOfMicros, true)
        : this.readWhenKnown(features, plan, row, maxWaitMs);
      if (answer instanceof Promise) waiting.push(answer.then((vector) => (vectors[index] = vector)));
      else vectors[index] = answer;
    });
    await Promise.all(waiting);
    return vectors;
  }

  private async readWhenKnown(
    features: readonly FeatureRef[],
    before: OnlinePlan,
    row: FeatureRow,
    maxWaitMs: number,
  ): Promise<FeatureVector> {
    const exact = await this.watermarks.reached(before.streams, row.asOfMicros, maxWaitMs);
    // A newer content of a view may serve by now.
    return this.readRow(this.planOf(features), row, row.asOfMicros, exact);
  }

  private readRow(
    plan: OnlinePlan,
    row: FeatureRow,
    asOfMicros: number,
    exact: boolean,
  ): FeatureVector | Promise<FeatureVector> {
    const watermarkMicros = this.watermarks.of(plan.streams);
    const values = new Array<number>(plan.width).fill(NaN);
    const statuses = new Array<FeatureStatus>(plan.width).fill(FeatureStatus.MISSING);
    evaluateRequest(plan, row.request, values);
    for (const { position } of plan.requests) statuses[position] = statusOf(values[position]);
    let reading: Promise<void>[] | undefined;
    for (const part of plan.parts) {
      const { view } = part;
      const serving = this.watermarks.servingVersion(view.name);
      const put = (found: Found | undefined): void => putPart(part, found, { asOfMicros, exact, values, statuses });
      if (serving?.view.version !== view.version) {
        put(undefined);
        continue;
      }
      const found = this.reader.find(view, serving.id, row.entities[view.entity] ?? '');
      if (found instanceof Promise) (reading ??= []).push(found.then(put));
      else put(found);
    }
    onlineRowsTotal.inc(exact ? EXACT : STALE);
    const vector = {
      values,
      statuses,
      asOfMicros,
      watermarkMicros: Number.isFinite(watermarkMicros) ? watermarkMicros : 0,
    };
    return reading ? Promise.all(reading).then(() => vector) : vector;
  }

  /** What serves; while the first content of a view is being filled, what will serve. */
  private viewOf(name: string): CompiledView | undefined {
    return this.watermarks.servingVersion(name)?.view ?? this.views.get(name);
  }

  private planOf(features: readonly FeatureRef[]): OnlinePlan {
    const key = features
      .map((ref) => `${ref.view}@${this.viewOf(ref.view)?.version ?? ''}:${ref.feature}:${ref.requestExpression}`)
      .join('\n');
    const known = this.plans.get(key);
    if (known) return known;
    const plan = planOnlineRead(features, (name) => this.viewOf(name));
    const oldest = this.plans.keys().next();
    if (this.plans.size >= KNOWN_PLANS && oldest.done !== true) this.plans.delete(oldest.value);
    this.plans.set(key, plan);
    return plan;
  }
}

/** Values and statuses of one view at their places. */
function putPart(
  { accumulators, positions, view }: ViewPart,
  found: Found | undefined,
  { asOfMicros, exact, values, statuses }: Row,
): void {
  const isExpired = found !== undefined && asOfMicros < found.watermarkMicros - view.retentionMicros;
  const known = isExpired ? undefined : found?.entity.valuesAt(accumulators, asOfMicros);
  positions.forEach((position, index) => {
    const value = known?.[index] ?? NaN;
    values[position] = value;
    if (isExpired) statuses[position] = FeatureStatus.EXPIRED;
    else statuses[position] = exact && known ? statusOf(value) : FeatureStatus.STALE;
  });
}

function statusOf(value: number | undefined): FeatureStatus {
  return value === undefined || Number.isNaN(value) ? FeatureStatus.MISSING : FeatureStatus.PRESENT;
}

function checkEntities(plan: OnlinePlan, row: FeatureRow, index: number): void {
  for (const { view } of plan.parts) {
    const key = row.entities[view.entity];
    const place = `rows.${index}.entities: "${view.entity}", the entity of FeatureView "${view.name}"`;
    if (key === undefined) throw new DomainError('invalid', 'missing_entity', `${place}, is missing`);
    if (entityKeyOf(key) === undefined) {
      throw new DomainError(
        'invalid',
        'bad_entity',
        `${place}, is no key: expected at most 500 characters, none of them NUL`,
      );
    }
  }
}
