"use strict";
Object.defineProperty(exports, "__esModule", {
    value: true
});
Object.defineProperty(exports, "gatewayConfig", {
    enumerable: true,
    get: function() {
        return gatewayConfig;
    }
});
const _nodeos = require("node:os");
const _servicekit = require("@headrace/service-kit");
const _zod = require("zod");
const count = (fallback, minimum, maximum)=>_zod.z.coerce.number().int().min(minimum).max(maximum).default(fallback);
const gatewaySettings = {
    /** What speaks HTTP/2 on GRPC_PORT: @grpc/grpc-js, or @headrace/grpc-fast. */ GATEWAY_GRPC_SERVER: _zod.z.enum([
        'standard',
        'fast'
    ]).default('standard'),
    /**
   * TLS of GRPC_PORT and GATEWAY_REST_PORT: PEM files of the certificate chain and its key, read at the start. Unset: plain
   * connections.
   */ GATEWAY_TLS_CERTIFICATE_FILE: _zod.z.string().min(1).optional(),
    GATEWAY_TLS_KEY_FILE: _zod.z.string().min(1).optional(),
    /** PEM file of authorities: callers must show a certificate that one of them has signed. */ GATEWAY_TLS_CLIENT_CA_FILE: _zod.z.string().min(1).optional(),
    /** host:port of the feature store. */ FEATURE_STORE_ADDRESS: _zod.z.string().min(1),
    /**
   * Who may ask models and read about them: anybody, or holders of a token of HEADRACE_TOKENS_FILE. Health is always public,
   * loading a model always needs the role operator.
   */ GATEWAY_ACCESS: _zod.z.enum([
        'public',
        'authenticated'
    ]).default('public'),
    /** Open Inference Protocol over REST, on HTTP_HOST. 0 = chosen by the system, and printed in the log. */ GATEWAY_REST_PORT: count(0, 0, 65_535),
    /** Largest body of one REST request, and of what it unpacks to. JSON in it: 4 MiB at most. */ GATEWAY_REST_BODY_MIB: count(16, 1, 1_024),
    /** All REST bodies that are in memory at once. */ GATEWAY_REST_BODIES_MIB: count(256, 1, 65_536),
    /** Rows of one run of a model; larger requests take several. */ GATEWAY_BATCH_ROWS: count(256, 1, 65_536),
    /** Rows that may wait for one version, fewer while its queue does not empty; and the most that one request may bring. */ GATEWAY_QUEUE_ROWS: count(16_384, 1, 1_048_576),
    /** Answered predictions that are kept in memory while Kafka is away. */ GATEWAY_LOG_BUFFER: count(50_000, 1, 5_000_000),
    GATEWAY_LOG_FLUSH_MS: count(20, 1, 60_000),
    /**
   * Secret of the pseudonyms that the prediction log holds for personal values, the same in every gateway: random, 32 characters or
   * more. Another one makes other pseudonyms. Unset: such values are left out of the log.
   */ GATEWAY_PSEUDONYM_KEY: _zod.z.string().min(32).optional(),
    /**
   * Folder of this gateway's own that keeps what it serves and the models' bytes: it starts from there while Kafka and the
   * artifact store are away. Whoever writes into it says what is served. Unset: nothing is kept.
   */ GATEWAY_CACHE: _zod.z.string().min(1).optional(),
    /** With something kept, it is ready after this long even when the log cannot be read. */ GATEWAY_LOG_PATIENCE_MS: count(5_000, 0, 600_000),
    /** Largest model file. */ GATEWAY_MODEL_MIB: count(256, 1, 4_096),
    /**
   * Memory for the models of promoted versions, here and in the processes that they share. Beyond it those that were asked
   * longest ago are let go, and loaded again when they are asked.
   */ GATEWAY_MODELS_MIB: count(1_024, 1, 1_048_576),
    /** Models that are never let go: names, separated by commas. */ GATEWAY_PINNED_MODELS: _zod.z.string().default('').transform((names)=>names.split(',').flatMap((name)=>name.trim() || [])),
    /** Resident memory of the process that tries a model before it is loaded here, about 90 MiB of its own included. */ GATEWAY_MODEL_MEMORY_MIB: count(512, 128, 65_536),
    GATEWAY_MODEL_TIMEOUT_MS: count(15_000, 100, 600_000),
    /** Longest time of one row. */ GATEWAY_MODEL_ROW_MS: _zod.z.coerce.number().min(0.01).max(10_000).default(50),
    /**
   * Longest time that one run may keep the event loop. A promoted version runs in this process when eight of its rows fit
   * into it; others run in processes beside it. 0: none runs here.
   */ GATEWAY_HERE_MS: _zod.z.coerce.number().min(0).max(1_000).default(2),
    /** Processes that promoted versions with dear rows share. Default: the machine's cores less one. */ GATEWAY_MODEL_PROCESSES: count(Math.max(1, (0, _nodeos.availableParallelism)() - 1), 1, 256),
    /** Longest time of one run in such a process: another model's run waits so long for its turn. */ GATEWAY_RUN_MS: _zod.z.coerce.number().min(1).max(10_000).default(50),
    /** A run that takes longer hangs: its process is killed. */ GATEWAY_HANG_MS: count(1_000, 50, 600_000),
    /** When even the least delay of ten times this is longer than this, fewer rows may wait. */ GATEWAY_QUEUE_TARGET_MS: _zod.z.coerce.number().min(1).max(60_000).default(50)
};
const gatewayConfig = (0, _servicekit.defineConfig)('inference-gateway', {
    ..._servicekit.baseSettings,
    ...gatewaySettings
});

//# sourceMappingURL=inference-gateway.config.js.map
