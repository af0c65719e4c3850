import type { DemoSummary } from './summary';

/** Lines with the seconds since the start in front. */
export class Progress {
  private readonly startedAt = Date.now();

  say(line: string): void {
    process.stdout.write(`${this.seconds().toFixed(1).padStart(6)} s  ${line}\n`);
  }

  seconds(): number {
    return (Date.now() - this.startedAt) / 1_000;
  }
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function seconds(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(1)} s` : 'never';
}

/** The summary that a person reads. */
export function describe(summary: DemoSummary): string {
  const { records, predictions, skew, drift, rollback } = summary;
  const versions = summary.modelVersions.map(
    (version) =>
      `             version ${version.version} (${version.role})`.padEnd(38) +
      `AUC ${version.auc.toFixed(3)}   Brier ${version.brier.toFixed(3)}`,
  );
  return [
    '',
    'What happened',
    `  Records    ${number(records.published)} published = ${number(records.accepted)} accepted + ${number(records.rejected)} quarantined + ${number(records.duplicates)} repeats; ${summary.datasetVersions} dataset versions`,
    '  Versions   on the same later traffic, which none of them trained on:',
    ...versions,
    `  Answers    ${number(predictions.asked)} asked = ${number(predictions.answered)} answered (${number(predictions.fallback)} of them by the declared fallback) + ${number(predictions.failed)} failed; p50 ${predictions.p50Milliseconds} ms, p99 ${predictions.p99Milliseconds} ms`,
    `  Skew       ${number(skew.compared)} served feature vectors compared with the point-in-time join made afterwards: ${number(skew.different)} different (${number(skew.skipped)} not comparable)`,
    `  Drift      ${drift.injected ? 'injected by the publisher (30 minutes on flights under 800 miles from 6 February)' : 'natural'}; after its deciding record: detected ${seconds(drift.detectedAfterSeconds)}, trained ${seconds(drift.trainedAfterSeconds)}, promoted ${seconds(drift.promotedAfterSeconds)}`,
    `  Rollback   the bad candidate was rolled back ${seconds(rollback.afterSeconds)} after the label that decided it; ${rollback.failedRequests} requests failed`,
    `  Cause      ${summary.causation.join(' → ')}`,
    ...(summary.restarts > 0 ? [`  Restarts   ${summary.restarts} services were killed and came back`] : []),
    `  Took       ${summary.wallSeconds.toFixed(0)} s, ${number(summary.peakRssMiB)} MiB at most`,
    '',
  ].join('\n');
}
