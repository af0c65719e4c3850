"use strict";
Object.defineProperty(exports, "__esModule", {
    value: true
});
Object.defineProperty(exports, "InferenceGatewayModule", {
    enumerable: true,
    get: function() {
        return InferenceGatewayModule;
    }
});
const _nodecrypto = require("node:crypto");
const _eventtime = require("@headrace/event-time");
const _messaging = require("@headrace/messaging");
const _servicekit = require("@headrace/service-kit");
const _common = require("@nestjs/common");
const _predictionlog = require("./domain/prediction-log");
const _deploymentslistener = require("./events-in/deployments.listener");
const _gatewaymetrics = require("./gateway-metrics");
const _gatewayobserver = require("./gateway-observer");
const _openinferenceservice = require("./grpc-in/open-inference.service");
const _predictservice = require("./grpc-in/predict.service");
const _featurefetcher = require("./grpc-out/feature-fetcher");
const _featurestoreclient = require("./grpc-out/feature-store.client");
const _restmodule = require("./http-in/rest.module");
const _modelproviders = require("./model-providers");
const _placement = require("./models/placement");
const _profiles = require("./models/profiles");
const _residency = require("./models/residency");
const _versionpool = require("./models/version-pool");
const _openinferenceobserver = require("./open-inference-observer");
const _tls = require("./tls");
const _servingtable = require("./serving/serving-table");
const _answerprediction = require("./use-cases/answer-prediction");
const _describemodels = require("./use-cases/describe-models");
const _followdeployments = require("./use-cases/follow-deployments");
const _infertensors = require("./use-cases/infer-tensors");
function _ts_decorate(decorators, target, key, desc) {
    var c = arguments.length, r = c < 3 ? target : desc === null ? desc = Object.getOwnPropertyDescriptor(target, key) : desc, d;
    if (typeof Reflect === "object" && typeof Reflect.decorate === "function") {
        r = Reflect.decorate(decorators, target, key, desc);
    } else {
        for(var i = decorators.length - 1; i >= 0; i--){
            if (d = decorators[i]) {
                r = (c < 3 ? d(r) : c > 3 ? d(target, key, r) : d(target, key)) || r;
            }
        }
    }
    return c > 3 && r && Object.defineProperty(target, key, r), r;
}
function _ts_metadata(metadataKey, metadataValue) {
    if (typeof Reflect === "object" && typeof Reflect.metadata === "function") {
        return Reflect.metadata(metadataKey, metadataValue);
    }
}
function _ts_param(paramIndex, decorator) {
    return function(target, key) {
        decorator(target, key, paramIndex);
    };
}
const OPEN_INFERENCE_GRPC = Symbol('OPEN_INFERENCE_GRPC');
const PREDICT_GRPC = Symbol('PREDICT_GRPC');
const OPEN_INFERENCE_REST = Symbol('OPEN_INFERENCE_REST');
const TENSOR_OBSERVERS = Symbol('TENSOR_OBSERVERS');
const eventsOut = [
    {
        provide: _gatewayobserver.GatewayObserver,
        inject: [
            _messaging.BULK_PUBLISHER,
            _servicekit.LOGGER,
            _gatewaymetrics.GatewayMetrics,
            _servicekit.SETTINGS
        ],
        useFactory: (publisher, logger, metrics, settings)=>new _gatewayobserver.GatewayObserver({
                bootId: `gateway/${(0, _nodecrypto.randomUUID)()}`,
                publisher,
                logger,
                metrics,
                capacity: settings.GATEWAY_LOG_BUFFER,
                flushEveryMs: settings.GATEWAY_LOG_FLUSH_MS
            })
    }
];
const grpcOut = [
    {
        provide: _featurestoreclient.FeatureStoreClient,
        inject: [
            _servicekit.SETTINGS,
            _gatewaymetrics.GatewayMetrics,
            _servicekit.LOGGER
        ],
        useFactory: (settings, metrics, logger)=>new _featurestoreclient.FeatureStoreClient({
                address: settings.FEATURE_STORE_ADDRESS,
                token: settings.HEADRACE_TOKEN,
                onCircuit: (open)=>{
                    metrics.circuitOpen(open);
                    logger.warn({
                        open
                    }, 'circuit to the feature store');
                },
                onFault: (error, notTold)=>logger.error({
                        err: error,
                        notTold
                    }, 'the feature store answered with an unexpected error')
            })
    },
    {
        provide: _featurefetcher.FeatureFetcher,
        inject: [
            _featurestoreclient.FeatureStoreClient
        ],
        useFactory: (client)=>new _featurefetcher.FeatureFetcher(client)
    }
];
const useCases = [
    {
        provide: _followdeployments.FollowDeployments,
        inject: [
            _versionpool.VersionPool,
            _servingtable.ServingTable,
            _gatewayobserver.GatewayObserver,
            _modelproviders.MODEL_FILES,
            {
                token: _modelproviders.DEPLOYMENT_CACHE,
                optional: true
            }
        ],
        useFactory: (pool, table, observer, files, cache)=>new _followdeployments.FollowDeployments(pool, table, observer, cache ?? {
                keep: ()=>undefined
            }, _eventtime.nowMicros, new _profiles.Profiles(files))
    },
    {
        provide: _predictionlog.PersonalData,
        inject: [
            _servicekit.SETTINGS
        ],
        useFactory: (settings)=>new _predictionlog.PersonalData(settings.GATEWAY_PSEUDONYM_KEY)
    },
    {
        provide: _answerprediction.AnswerPrediction,
        inject: [
            _servingtable.ServingTable,
            _featurefetcher.FeatureFetcher,
            _gatewayobserver.GatewayObserver,
            _predictionlog.PersonalData
        ],
        useFactory: (table, features, observer, personal)=>new _answerprediction.AnswerPrediction(table, features, observer, personal, _eventtime.nowMicros)
    },
    {
        provide: _infertensors.InferTensors,
        inject: [
            _servingtable.ServingTable,
            _servicekit.SETTINGS
        ],
        useFactory: (table, settings)=>new _infertensors.InferTensors(table, settings.GATEWAY_QUEUE_ROWS)
    },
    {
        provide: _openinferenceobserver.RequestStatistics,
        useFactory: ()=>new _openinferenceobserver.RequestStatistics()
    },
    {
        provide: _describemodels.DescribeModels,
        inject: [
            _servingtable.ServingTable,
            _openinferenceobserver.RequestStatistics,
            _followdeployments.FollowDeployments,
            _servicekit.SETTINGS
        ],
        useFactory: (table, statistics, follow, settings)=>new _describemodels.DescribeModels(table, statistics, {
                maxRows: settings.GATEWAY_QUEUE_ROWS,
                tryNow: (endpoint)=>follow.tryNow(endpoint)
            })
    },
    {
        provide: TENSOR_OBSERVERS,
        inject: [
            _gatewaymetrics.GatewayMetrics,
            _openinferenceobserver.RequestStatistics,
            _gatewayobserver.GatewayObserver,
            _servicekit.LOGGER
        ],
        useFactory: (metrics, statistics, events, log)=>{
            const observer = (protocol)=>new _openinferenceobserver.OpenInferenceObserver({
                    protocol,
                    metrics,
                    statistics,
                    events,
                    log,
                    nowMs: Date.now
                });
            return {
                unary: observer('open_inference'),
                stream: observer('open_inference_stream'),
                rest: observer('open_inference_rest')
            };
        }
    }
];
const eventsIn = [
    {
        provide: _deploymentslistener.DeploymentsListener,
        inject: [
            _messaging.LOG_READER,
            _followdeployments.FollowDeployments,
            _servingtable.ServingTable,
            _predictionlog.PersonalData,
            {
                token: _modelproviders.DEPLOYMENT_CACHE,
                optional: true
            },
            _servicekit.LOGGER
        ],
        useFactory: (reader, follow, table, personal, cache, logger)=>new _deploymentslistener.DeploymentsListener(reader, follow, table, personal, cache, logger)
    }
];
const grpcIn = [
    {
        provide: OPEN_INFERENCE_GRPC,
        inject: [
            _infertensors.InferTensors,
            _describemodels.DescribeModels,
            TENSOR_OBSERVERS,
            _servicekit.SETTINGS
        ],
        useFactory: (inferTensors, describe, observers, settings)=>(0, _openinferenceservice.openInferenceService)({
                inferTensors,
                describe,
                observers,
                access: settings.GATEWAY_ACCESS
            })
    },
    {
        provide: PREDICT_GRPC,
        inject: [
            _answerprediction.AnswerPrediction,
            _servingtable.ServingTable,
            _gatewaymetrics.GatewayMetrics,
            _servicekit.SETTINGS
        ],
        useFactory: (answer, table, metrics, settings)=>(0, _predictservice.predictService)(answer, table, metrics, settings.GATEWAY_ACCESS)
    }
];
const httpIn = [
    {
        provide: OPEN_INFERENCE_REST,
        inject: [
            _infertensors.InferTensors,
            _describemodels.DescribeModels,
            TENSOR_OBSERVERS
        ],
        useFactory: (inferTensors, describe, observers)=>({
                inferTensors,
                describe,
                observer: observers.rest
            })
    }
];
let GatewayCoreModule = class GatewayCoreModule {
    listener;
    followDeployments;
    table;
    observer;
    features;
    metrics;
    placement;
    residency;
    readiness;
    settings;
    logger;
    cache;
    patience;
    constructor(listener, followDeployments, table, observer, features, metrics, placement, residency, readiness, settings, logger, cache){
        this.listener = listener;
        this.followDeployments = followDeployments;
        this.table = table;
        this.observer = observer;
        this.features = features;
        this.metrics = metrics;
        this.placement = placement;
        this.residency = residency;
        this.readiness = readiness;
        this.settings = settings;
        this.logger = logger;
        this.cache = cache;
    }
    onApplicationBootstrap() {
        this.readiness.register('deployments', ()=>this.table.notReadyReason());
        this.metrics.observeState({
            logBuffered: ()=>this.observer.buffered,
            residentBytes: ()=>this.residency.usedBytes,
            residentModels: ()=>this.residency.size,
            versions: ()=>this.servedVersions()
        });
        // Not awaited: it serves what it knows as soon as it knows it, and waits for Kafka without holding up the start.
        void this.start();
    }
    async start() {
        const resumed = await this.listener.resume();
        if (resumed > 0) {
            this.logger.info({
                endpoints: resumed
            }, 'serving what was served before, until the log is read');
            this.patience = setTimeout(()=>this.table.markResumed(), this.settings.GATEWAY_LOG_PATIENCE_MS).unref();
        }
        await this.listener.start();
    }
    /** After the servers have closed (their modules come first), before messaging leaves Kafka. */ async beforeApplicationShutdown() {
        clearTimeout(this.patience);
        this.followDeployments.stop();
        await this.observer.close(SHUTDOWN_FLUSH_MS);
        await this.listener.stop();
        this.features.close();
        this.placement.closeAll();
        await this.cache?.close();
    }
    servedVersions() {
        return this.table.active().flatMap(({ deployment, versions })=>versions.map(({ number, role, weight, loaded })=>({
                    endpoint: deployment.endpoint,
                    version: String(number),
                    role,
                    weight,
                    place: loaded.model.place,
                    queuedRows: loaded.batcher.queuedRows,
                    queueLimit: loaded.batcher.queueLimit
                })));
    }
};
GatewayCoreModule = _ts_decorate([
    (0, _common.Module)({
        providers: [
            _servingtable.ServingTable,
            {
                provide: _gatewaymetrics.GatewayMetrics,
                useFactory: ()=>new _gatewaymetrics.GatewayMetrics()
            },
            ..._modelproviders.caches,
            ..._modelproviders.models,
            ...eventsOut,
            ...grpcOut,
            ...useCases,
            ...eventsIn,
            ...grpcIn,
            ...httpIn
        ],
        exports: [
            OPEN_INFERENCE_GRPC,
            PREDICT_GRPC,
            OPEN_INFERENCE_REST
        ]
    }),
    _ts_param(9, (0, _common.Inject)(_servicekit.SETTINGS)),
    _ts_param(10, (0, _common.Inject)(_servicekit.LOGGER)),
    _ts_param(11, (0, _common.Optional)()),
    _ts_param(11, (0, _common.Inject)(_modelproviders.DEPLOYMENT_CACHE)),
    _ts_metadata("design:type", Function),
    _ts_metadata("design:paramtypes", [
        typeof _deploymentslistener.DeploymentsListener === "undefined" ? Object : _deploymentslistener.DeploymentsListener,
        typeof _followdeployments.FollowDeployments === "undefined" ? Object : _followdeployments.FollowDeployments,
        typeof _servingtable.ServingTable === "undefined" ? Object : _servingtable.ServingTable,
        typeof _gatewayobserver.GatewayObserver === "undefined" ? Object : _gatewayobserver.GatewayObserver,
        typeof _featurestoreclient.FeatureStoreClient === "undefined" ? Object : _featurestoreclient.FeatureStoreClient,
        typeof _gatewaymetrics.GatewayMetrics === "undefined" ? Object : _gatewaymetrics.GatewayMetrics,
        typeof _placement.Placement === "undefined" ? Object : _placement.Placement,
        typeof _residency.Residency === "undefined" ? Object : _residency.Residency,
        typeof _servicekit.Readiness === "undefined" ? Object : _servicekit.Readiness,
        typeof GatewaySettings === "undefined" ? Object : GatewaySettings,
        typeof Logger === "undefined" ? Object : Logger,
        Object
    ])
], GatewayCoreModule);
const SHUTDOWN_FLUSH_MS = 5_000;
let InferenceGatewayModule = class InferenceGatewayModule {
};
InferenceGatewayModule = _ts_decorate([
    (0, _common.Module)({
        imports: [
            _messaging.MessagingModule.forServiceAsync({
                inject: [
                    _servicekit.SETTINGS,
                    _servicekit.LOGGER
                ],
                useFactory: (settings, logger)=>({
                        service: 'inference-gateway',
                        brokers: settings.KAFKA_BROKERS.split(','),
                        logger
                    })
            }),
            GatewayCoreModule,
            _servicekit.GrpcModule.forServices([
                GatewayCoreModule
            ], [
                OPEN_INFERENCE_GRPC,
                PREDICT_GRPC
            ], (settings)=>({
                    kind: settings.GATEWAY_GRPC_SERVER,
                    tls: (0, _tls.tlsOf)(settings)
                })),
            _restmodule.RestModule.forBackend([
                GatewayCoreModule
            ], OPEN_INFERENCE_REST)
        ]
    })
], InferenceGatewayModule);

//# sourceMappingURL=inference-gateway.module.js.map
