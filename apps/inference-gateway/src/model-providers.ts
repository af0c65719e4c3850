// Wiring of what touches model files and the runtime.
import { join } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import { LOGGER, SETTINGS, type Logger } from '@headrace/service-kit';
import type { Provider } from '@nestjs/common';
import { GatewayMetrics } from './gateway-metrics';
import type { GatewaySettings } from './inference-gateway.config';
import { CachedArtifacts } from './models/cached-artifacts';
import { LoopShare } from './models/loop-share';
import { ModelLoader } from './models/model-loader';
import { Placement } from './models/placement';
import { Residency } from './models/residency';
import { VersionPool } from './models/version-pool';
import { DeploymentCache } from './serving/deployment-cache';

/** Folder of the compiled programs of child processes, where it is not beside this file (specs). */
export const CHILD_PROGRAMS = Symbol('CHILD_PROGRAMS');
const BESIDE = join(__dirname, 'models');
/** Under a flood so many runs of the longest time may follow one another. */
const RUNS_IN_A_ROW = 5;
/** The gateway's own copy of model files and of what it serves; undefined without GATEWAY_CACHE. */
const MODEL_CACHE = Symbol('MODEL_CACHE');
export const DEPLOYMENT_CACHE = Symbol('DEPLOYMENT_CACHE');

export const caches: Provider[] = [
  {
    provide: MODEL_CACHE,
    inject: [SETTINGS],
    useFactory: ({ GATEWAY_CACHE }: GatewaySettings) =>
      GATEWAY_CACHE === undefined ? undefined : new ArtifactStore(join(GATEWAY_CACHE, 'models')),
  },
  {
    provide: DEPLOYMENT_CACHE,
    inject: [SETTINGS, { token: MODEL_CACHE, optional: true }, LOGGER],
    useFactory: ({ GATEWAY_CACHE }: GatewaySettings, models: ArtifactStore | undefined, logger: Logger) =>
      GATEWAY_CACHE === undefined || !models
        ? undefined
        : new DeploymentCache({
            folder: GATEWAY_CACHE,
            models,
            onFault: (error, what) => logger.error({ err: error, what }, 'the cache of deployments'),
          }),
  },
];

/** Where models and their profiles come from. */
export const MODEL_FILES = Symbol('MODEL_FILES');
export type ModelFiles = Pick<ArtifactStore, 'pathOf' | 'read'>;

export const models: Provider[] = [
  {
    provide: MODEL_FILES,
    inject: [ArtifactStore, LOGGER, { token: MODEL_CACHE, optional: true }],
    useFactory: (store: ArtifactStore, logger: Logger, cache?: ArtifactStore): ModelFiles =>
      cache
        ? new CachedArtifacts(store, cache, (error) => logger.warn({ err: error }, 'a model cannot be kept on disk'))
        : store,
  },
  {
    provide: Placement,
    inject: [SETTINGS, LOGGER, GatewayMetrics, { token: CHILD_PROGRAMS, optional: true }],
    useFactory: (settings: GatewaySettings, logger: Logger, metrics: GatewayMetrics, programs: string = BESIDE) =>
      new Placement({
        hostScript: join(programs, 'model-host.js'),
        sharedHosts: settings.GATEWAY_MODEL_PROCESSES,
        hereMicros: settings.GATEWAY_HERE_MS * 1_000,
        sharedMicros: settings.GATEWAY_RUN_MS * 1_000,
        maxRunRows: settings.GATEWAY_BATCH_ROWS,
        runTimeoutMs: settings.GATEWAY_HANG_MS,
        loadTimeoutMs: settings.GATEWAY_MODEL_TIMEOUT_MS,
        ownMemoryMiB: settings.GATEWAY_MODEL_MEMORY_MIB,
        onDeath: (place, held, death) => {
          metrics.modelProcessDied(place, death.code);
          logger.error({ place, models: held, ...death }, 'a process that runs models died and is started again');
        },
      }),
  },
  {
    provide: Residency,
    inject: [SETTINGS, LOGGER],
    useFactory: (settings: GatewaySettings, logger: Logger) =>
      new Residency({
        budgetBytes: settings.GATEWAY_MODELS_MIB * 1_048_576,
        onReleaseFault: (error) => logger.warn({ err: error }, 'releasing a model failed'),
      }),
  },
  {
    provide: ModelLoader,
    inject: [MODEL_FILES, Placement, Residency, SETTINGS, { token: CHILD_PROGRAMS, optional: true }],
    useFactory: (
      files: ModelFiles,
      placement: Placement,
      residency: Residency,
      settings: GatewaySettings,
      programs: string = BESIDE,
    ) =>
      new ModelLoader(files, placement, residency, {
        childScript: join(programs, 'validation-child.js'),
        maxModelBytes: settings.GATEWAY_MODEL_MIB * 1_048_576,
        validations: settings.GATEWAY_MODEL_PROCESSES,
        pinned: new Set(settings.GATEWAY_PINNED_MODELS),
        limits: {
          timeoutMs: settings.GATEWAY_MODEL_TIMEOUT_MS,
          memoryMiB: settings.GATEWAY_MODEL_MEMORY_MIB,
          rowMicros: settings.GATEWAY_MODEL_ROW_MS * 1_000,
        },
      }),
  },
  {
    provide: VersionPool,
    inject: [ModelLoader, SETTINGS, GatewayMetrics, LOGGER],
    useFactory: (loader: ModelLoader, settings: GatewaySettings, metrics: GatewayMetrics, logger: Logger) => {
      // @grpc/grpc-js gives a connection 64 kB of room and takes many turns of the loop for a call: with it, what is not read at
      // once waits in the callers and uses up their deadlines.
      const mostMs = settings.GATEWAY_GRPC_SERVER === 'fast' ? settings.GATEWAY_HERE_MS * RUNS_IN_A_ROW : 0;
      const share = new LoopShare(mostMs);
      return new VersionPool(loader, {
        batcher: (model, version, { place, runRows, rowMicros }) => ({
          share: place === 'here' ? share : undefined,
          maxBatchRows: runRows,
          maxQueuedRows: settings.GATEWAY_QUEUE_ROWS,
          targetDelayMs: settings.GATEWAY_QUEUE_TARGET_MS,
          rowMicros,
          onBatch: metrics.batch(model, version),
          onTurnedAway: metrics.turnedAway(model, version),
        }),
        onReleaseFault: (error) => logger.warn({ err: error }, 'releasing a model failed'),
      });
    },
  },
];
