// One answer and what it rests on, for people: from the answer down to the data.
import { printRows } from '../output';
import type { EventLine, Why } from './why';

/** Events of a long-lived model's chain go back through all its versions: so many of them are shown. */
const SHOWN_EVENTS = 40;

export function printWhy(why: Why): void {
  const { prediction, features, labels, version, training, datasets, serving, approvals, events } = why;
  for (const text of answerLines(why)) say(text);
  heading('Features');
  printRows(
    features.map(({ name, value, status, knownAsOf, source }) => ({
      feature: name,
      value: short(value),
      status,
      'known as of': knownAsOf ?? '–',
      from: source,
    })),
    false,
  );
  if (labels.length > 0) {
    heading('What came true');
    printRows(
      labels.map(({ stream, label, happenedAt, knownAt, error, squaredError, event }) => ({
        label: short(label),
        error: short(error),
        'squared error': short(squaredError),
        happened: happenedAt,
        known: knownAt,
        stream,
        event,
      })),
      false,
    );
  }
  if (version) {
    heading(`Version ${version.version} of ${version.model}: ${version.state}, registered ${version.registeredAt}`);
    const metrics = Object.entries(version.metrics).map(([name, { value }]) => `${name} ${short(value)}`);
    say(`${metrics.join(', ') || 'no metrics'}; model ${version.modelDigest}`);
    printRows(
      version.gates.map(({ name, criterion, measured, passed, waived, message }) => ({
        gate: name,
        criterion,
        measured: short(measured),
        outcome: passed ? 'passed' : waived ? `FAILED, waived by ${waived.by}: ${waived.reason}` : 'FAILED',
        message,
      })),
      false,
    );
  }
  if (training) {
    heading(`Run ${training.run} of plan ${training.plan}`);
    say(`trigger ${training.trigger}${training.reason === '' ? '' : `: ${training.reason}`}`);
    say(`${training.rows} rows of ${training.from} to ${training.to}, seed ${training.seed}`);
    if (training.shuffledLabels) say('its labels were SHUFFLED: a drill');
    say(`training set ${training.trainingSet}, environment ${training.environment}`);
    say(`plan ${training.planVersion}; views ${training.featureViews.join(', ') || '–'}`);
    heading('Data');
    printRows(
      datasets.map(({ stream, version: number, rows, from, until, knownUntil, manifest }) => ({
        dataset: `${stream}@${number}`,
        rows: rows ?? '–',
        from: from ?? '–',
        until: until ?? '–',
        'known until': knownUntil ?? '–',
        manifest,
      })),
      false,
    );
  }
  if (serving) {
    heading(`Why version ${prediction.version === 0 ? '–' : prediction.version} was asked`);
    say(`${serving.change} at ${serving.at} by ${serving.by} (generation ${serving.generation}): ${serving.reason}`);
  }
  heading('Who decided (audit log)');
  printRows(
    approvals.map(({ sequence, at, actor, action, subject, detail }) => ({
      entry: sequence,
      at,
      by: actor,
      action,
      subject,
      reason: typeof detail['reason'] === 'string' ? detail['reason'] : '',
    })),
    false,
  );
  if (!why.auditChainIntact) say('The audit chain is BROKEN: an entry was changed or removed.');
  heading('From the data that began it');
  printEvents([...events.made, ...events.served]);
  for (const fault of why.notKnown) process.stderr.write(`not known: ${fault}\n`);
}

function answerLines({ prediction }: Why): string[] {
  const { id, endpoint, model, version, assignment, output, servedAt, asOf, latencyMicros } = prediction;
  const by = version === 0 ? 'the fallback value' : `version ${version} of ${model} (${assignment || 'champion'})`;
  const pairs = (of: Readonly<Record<string, unknown>>): string =>
    Object.entries(of)
      .map(([name, value]) => `${name}=${String(value)}`)
      .join(' ');
  const lines = [
    `${endpoint} answered ${short(output)} by ${by}`,
    `prediction ${id}, as of ${asOf}, served ${servedAt} in ${(latencyMicros / 1_000).toFixed(1)} ms`,
    `asked about ${pairs(prediction.entities) || 'no entity'}; request ${pairs(prediction.request) || 'without fields'}`,
  ];
  if (prediction.fallback) lines.push(`a FALLBACK: ${prediction.fallbackReason}`);
  for (const { guardrail, action, reason } of prediction.guardrails)
    lines.push(`guardrail ${guardrail} (${action}): ${reason}`);
  for (const other of prediction.others) lines.push(`version ${other.version} would have said ${short(other.output)}`);
  return lines;
}

function printEvents(events: readonly EventLine[]): void {
  const shown = events.slice(-SHOWN_EVENTS);
  if (shown.length < events.length) say(`… ${events.length - shown.length} events before these (--json has all)`);
  printRows(
    shown.map(({ time, type, subject, id }) => ({ at: time, event: type, subject, id })),
    false,
  );
}

function heading(text: string): void {
  say('');
  say(text);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function short(value: number | null): string {
  return value === null ? '–' : String(Number(value.toPrecision(6)));
}
