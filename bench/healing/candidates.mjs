// Bad candidates: versions trained on shuffled labels, brought to a canary by the registry's own way, one after the other.
import { definitionsOf, HISTORY_DAYS, Traffic, untilServes } from '../../tools/live/parcels.mjs';
import { isQuiet, lookAt } from './loop.mjs';

const NAME = 'parcels-candidates';
const DAY_SECONDS = 2;
const VERDICT_MS = 180_000;

export async function runCandidates(live, count, { daySeconds, say }) {
  await live.apply(await definitionsOf(live, NAME));
  await untilServes(live, NAME, {}, say);
  const traffic = new Traffic(live, { name: NAME, 'from-day': HISTORY_DAYS, 'day-seconds': daySeconds ?? DAY_SECONDS });
  const candidates = [];
  try {
    let training = train(live, 1);
    for (let number = 1; number <= count; number += 1) {
      const bad = await judged(live, await training);
      // The next one is trained while this one's canary runs.
      if (number < count) training = train(live, number + 1);
      const candidate = {
        version: bad.version,
        model: bad.modelArtifact?.digest,
        waived: bad.state === 'refused',
        outcome: 'undecided',
      };
      candidates.push(candidate);
      if (candidate.waived) {
        await live.call(
          'registry',
          'waiveGates',
          { model: NAME, version: bad.version, reason: 'drill: a bad candidate must be rolled back by itself' },
          { as: 'approver' },
        );
      }
      try {
        Object.assign(
          candidate,
          await live.until(`version ${bad.version} has its verdict`, () => verdict(live, bad.version), VERDICT_MS),
        );
      } catch (error) {
        if (live.signal?.aborted) throw error;
        say(`  ${error.message}`);
      }
      say(
        `  candidate ${number}, version ${bad.version} (AUC ${bad.metrics.auc?.value.toFixed(2)}, ${candidate.waived ? 'gates waived' : 'passed its gates by chance'}): ` +
          `${candidate.outcome.replaceAll('_', ' ')}${candidate.seconds === undefined ? '' : ` after ${candidate.seconds.toFixed(1)} s of canary`}`,
      );
    }
    await live.until('nothing is on its way', async () => isQuiet(await lookAt(live, NAME)));
  } finally {
    await traffic.stop();
  }
  const { runs } = await lookAt(live, NAME);
  return {
    candidates,
    report: traffic.report,
    otherTrainings: runs.filter(({ trigger }) => !['manual', 'data-volume'].includes(trigger)).length,
  };
}

async function train(live, number) {
  const { runId } = await live.call('training', 'startTraining', {
    plan: NAME,
    reason: `drill ${number}: a bad candidate must be rolled back by itself`,
    shuffleLabels: true,
  });
  return runId;
}

/** The version that a run made, once its gates judged it. */
function judged(live, runId) {
  return live.until(`the version of run ${runId} is judged`, async () => {
    const { runs, versions } = await lookAt(live, NAME);
    const run = runs.find((one) => one.runId === runId);
    if (run?.state === 'failed') throw new Error(`the training of a bad candidate failed: ${run.error}`);
    return versions.find((version) => version.runId === runId && version.state !== 'registered');
  });
}

async function verdict(live, version) {
  const { history } = await lookAt(live, NAME);
  const mine = history.filter((entry) => entry.version === version);
  const began = mine.find(({ change }) => change === 'canary_started');
  const end = mine.find(({ change }) => change === 'rolled_back' || change === 'promoted' || change === 'deployed');
  return end && { outcome: end.change, reason: end.reason, seconds: (end.at - (began ?? end).at) / 1_000 };
}

export function faultsOfCandidates({ candidates, report }, count) {
  const faults = [];
  const rolledBack = candidates.filter(({ outcome }) => outcome === 'rolled_back').length;
  if (rolledBack !== count) faults.push(`bad candidates: only ${rolledBack} of ${count} were rolled back`);
  const models = new Set(candidates.map(({ model }) => model)).size;
  if (models !== candidates.length)
    faults.push(`bad candidates: ${candidates.length} versions are only ${models} models`);
  if (report.failed > 0) faults.push(`bad candidates: ${report.failed} requests failed (${report.firstFailure})`);
  return faults;
}
