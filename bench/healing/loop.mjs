// What the loop did with one model, from the services' own answers.
const MICROS = 1_000;

export async function lookAt(live, name) {
  const [{ runs }, { versions }, endpoint, monitor] = await Promise.all([
    live.call('training', 'listRuns', { plan: name }),
    live.call('registry', 'listVersions', { model: name }),
    live.call('registry', 'getEndpoint', { endpoint: name }),
    live.call('monitoring', 'getMonitor', { monitor: name, lastWindows: 1_000 }),
  ]);
  return {
    runs,
    versions,
    rollout: endpoint.desired?.rollout,
    history: endpoint.history.flatMap(({ change, atMicros }) => (change ? [{ ...change, at: atMicros / MICROS }] : [])),
    decisions: monitor.decisions.map((decision) => ({
      type: decision.type.split('.').at(-1),
      at: decision.decidedAtMicros / MICROS,
      summary: decision.summary,
    })),
    windows: monitor.windows,
  };
}

/** Nothing is on its way any more: no training, no rollout. */
export function isQuiet({ runs, rollout }) {
  return rollout === undefined && runs.every(({ state }) => ['done', 'failed', 'cancelled'].includes(state));
}

/** Trainings that a monitor asked for, by the signal that did. */
export function retrainings({ runs }) {
  const by = (trigger) => runs.filter((run) => run.trigger === trigger).length;
  return { drift: by('drift'), performance: by('performance'), estimate: by('estimate'), concept: by('concept') };
}

/** Judged windows of labels, oldest first: { start, end (ms), crossed, brier }. */
export function performanceWindows({ windows }) {
  return windows
    .filter(({ kind, judged }) => kind === 'performance' && judged)
    .map(({ startMicros, endMicros, evidence, version }) => ({
      start: startMicros / MICROS,
      end: endMicros / MICROS,
      version,
      crossed: evidence.some(({ threshold, crossed }) => threshold !== 0 && crossed),
      brier: evidence.find(({ statistic }) => statistic === 'brier')?.value ?? NaN,
    }))
    .sort((a, b) => a.start - b.start);
}
