// Drills of models: what is asked, answered and known by labels has to change, so each has traffic and a model of its own.
import { rename } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { HISTORY_DAYS, Traffic, untilServes } from '../tools/live/parcels.mjs';
import { timeOfDay, DAY_MS } from '../examples/parcels/world.mjs';

const { ArtifactStore } = createRequire(import.meta.url)('@headrace/artifacts');
const DAY_SECONDS = 4;
/** A window is overdue after 300 s of the wall clock. */
const OVERDUE_FIRES_MS = 540_000;
const CHANGING = 'parcels-changing';
const HARDER = 'parcels-harder';

/** Signals and detectors are declared, retraining is a person's. */
function watchedBy(estimateWorseBy) {
  return ({ kind, spec }) => {
    if (kind === 'Monitor') {
      delete spec.retraining;
      spec.concept = { detectors: [{ detector: 'ddm' }] };
      spec.estimate = { tests: [{ statistic: 'auc', worseBy: estimateWorseBy }] };
    }
    if (kind === 'Endpoint') spec.rollout.analysis.inconclusiveAfter = '5s';
  };
}

/** The model of a name serves and is asked; how far it has come is remembered. */
async function begin(world, name, options = {}) {
  world.rests = true;
  if (!(name in world.days)) {
    await world.apply(name, watchedBy(0.1));
    await untilServes(world.live, name, {}, world.say);
    world.days[name] = HISTORY_DAYS;
  }
  const from = world.days[name];
  const { drift = 'none' } = options;
  const traffic = new Traffic(world.live, {
    name,
    'from-day': from,
    'day-seconds': DAY_SECONDS,
    drift,
    'change-day': from + 2,
  });
  return async () => {
    await traffic.stop();
    world.rests = false;
    world.days[name] = Math.ceil((traffic.report.eventTime - timeOfDay(0)) / DAY_MS);
  };
}

async function lastRun(world, plan) {
  const { runs } = await world.live.call('training', 'listRuns', { plan });
  return runs.sort((a, b) => b.requestedAtMicros - a.requestedAtMicros)[0];
}

const trained = (world, plan, state) =>
  world.live.until(`the run of ${plan} is ${state}`, async () => (await lastRun(world, plan)).state === state);

export const modelDrills = [
  {
    alerts: ['TrainingFailed'],
    fault: {
      what: 'a plan with a timeout of one second is trained',
      does: async (world) => {
        await world.apply('parcels', ({ kind, spec }) => {
          if (kind === 'TrainingPlan') Object.assign(spec, { timeout: '1s', attempts: 1 });
        });
        await world.headrace('train', 'parcels', '--reason', 'drill');
        await trained(world, 'parcels', 'failed');
      },
    },
    steps: [
      { says: "raise the plan's `timeout`", does: (world) => world.apply('parcels') },
      {
        says: 'npx headrace train <plan> --reason "after a failed run"',
        does: (world) => world.headrace('train', 'parcels', '--reason', 'after a failed run'),
      },
      { says: 'The next run ends as done', does: (world) => trained(world, 'parcels', 'done') },
    ],
    // Its version began a canary that nobody can judge: this application has no labels.
    after: (world) =>
      world.live.until('the canary is aborted', () =>
        world.headrace('rollout', 'parcels', 'abort', '--reason', 'drill').then(
          () => true,
          () => undefined,
        ),
      ),
  },
  {
    alerts: ['RolloutRolledBack'],
    fault: {
      what: 'a version trained on shuffled labels comes to its canary',
      does: async (world) => {
        const stop = await begin(world, CHANGING);
        await world.headrace('train', CHANGING, '--shuffle-labels', '--reason', 'drill');
        const bad = await world.live.until('its gates judge it', async () =>
          (await world.live.call('registry', 'listVersions', { model: CHANGING })).versions.find(
            ({ shuffleLabels, state }) => shuffleLabels && state !== 'registered',
          ),
        );
        world.bad = bad.version;
        if (bad.state === 'refused')
          await world.headraceAs('approver', 'waive', CHANGING, String(bad.version), '--reason', 'drill');
        return stop;
      },
    },
    steps: [
      {
        says: 'npx headrace rollout <endpoint> show',
        does: async (world) => {
          const text = await world.headrace('rollout', CHANGING, 'show');
          if (!text.includes('rolled_back')) throw new Error(`the rollback is not shown: ${text}`);
        },
      },
      {
        says: '`npx headrace endpoints` shows the champion at 100 %',
        does: async (world) => {
          const text = await world.headrace('endpoints');
          if (!new RegExp(`${CHANGING}.*1:100%`).test(text))
            throw new Error(`the champion has not everything: ${text}`);
        },
      },
    ],
    after: (world) => world.endFault(),
  },
  {
    alerts: ['RolloutInconclusive'],
    fault: {
      what: 'a rollout begins and nobody asks',
      does: async (world) => {
        if (!(CHANGING in world.days)) await (await begin(world, CHANGING))();
        const { versions } = await world.live.call('registry', 'listVersions', { model: CHANGING });
        if (versions.length === 1) {
          await world.headrace('train', CHANGING, '--reason', 'drill');
          return;
        }
        await world.headrace('rollout', CHANGING, 'start', '--version', String(world.bad), '--reason', 'drill');
      },
    },
    steps: [
      {
        says: 'Decide without evidence, audited: `npx headrace rollout <endpoint> promote --reason …`, or `abort`',
        does: (world) => world.headrace('rollout', CHANGING, 'abort', '--reason', 'nobody asks'),
      },
    ],
  },
  {
    alerts: ['Drift', 'PerformanceDegraded', 'ConceptDrift'],
    fault: {
      what: 'the world changes from one parcel to the next',
      does: (world) => begin(world, CHANGING, { drift: 'abrupt' }),
    },
    steps: [
      {
        says: 'npx headrace train <plan> --reason "drift of …"',
        does: (world) => world.headrace('train', CHANGING, '--reason', 'drift of the predictions'),
      },
    ],
    after: (world) => world.endFault(),
  },
  {
    alerts: ['EstimatedPerformanceDegraded'],
    fault: {
      what: 'parcels are asked about that are harder to judge',
      does: (world) => begin(world, HARDER, { drift: 'inputs-only' }),
    },
    steps: [
      {
        says: 'raise `worseBy` of that test',
        does: (world) => world.apply(HARDER, watchedBy(0.45)),
      },
    ],
    after: (world) => world.endFault(),
  },
  {
    alerts: ['WindowsInTimeBurnsFast'],
    lingers: ['WindowsInTimeBurnsSlowly'],
    fireMs: OVERDUE_FIRES_MS,
    fault: {
      what: "the champion's reference profile is lost from the artifact store",
      does: async (world) => {
        const stop = await begin(world, HARDER);
        const { versions } = await world.live.call('registry', 'listVersions', { model: HARDER });
        const store = new ArtifactStore(world.live.addresses.artifacts);
        world.profile = await store.pathOf(versions[0].profileArtifact.digest);
        await rename(world.profile, `${world.profile}.lost`);
        // What it has read before it would remember.
        await world.restart('monitoring');
        return stop;
      },
    },
    steps: [
      {
        says: 'bring the artifact back (it is found by its digest)',
        does: (world) => rename(`${world.profile}.lost`, world.profile),
      },
    ],
    after: (world) => world.endFault(),
  },
];
