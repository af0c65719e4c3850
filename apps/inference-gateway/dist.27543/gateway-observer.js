// What use cases tell: to the log, to the metrics and to Kafka. Nothing here waits for anything.
"use strict";
Object.defineProperty(exports, "__esModule", {
    value: true
});
Object.defineProperty(exports, "GatewayObserver", {
    enumerable: true,
    get: function() {
        return GatewayObserver;
    }
});
const _messaging = require("@headrace/messaging");
const _deploymentreports = require("./events-out/deployment-reports");
const _eventbuffer = require("./events-out/event-buffer");
const _predictionserved = require("./events-out/prediction-served");
const _scorereports = require("./events-out/score-reports");
const _seldom = require("./seldom");
const FLUSH_AT = 500;
const MAX_REPORTS = 10_000;
let GatewayObserver = class GatewayObserver {
    options;
    predictions;
    reports;
    scores;
    publishFaults = new _seldom.Seldom();
    drops = new _seldom.Seldom();
    versionFaults = new _seldom.Seldom();
    constructor(options){
        this.options = options;
        const { publisher, bootId, capacity, flushEveryMs } = options;
        const onFault = (error, waiting)=>this.publishingFailed(error, waiting);
        this.predictions = new _eventbuffer.EventBuffer(publisher, {
            shard: (0, _messaging.processShard)(bootId),
            capacity,
            flushEveryMs,
            flushAt: FLUSH_AT,
            onDropped: (count)=>this.dropped(count),
            onFault
        });
        this.reports = new _eventbuffer.EventBuffer(publisher, {
            shard: (0, _messaging.processShard)(`${bootId}/deployments`),
            capacity: MAX_REPORTS,
            flushEveryMs: 1,
            flushAt: FLUSH_AT,
            onDropped: (count)=>options.logger.error({
                    count
                }, 'deployment reports dropped'),
            onFault
        });
        this.scores = new _scorereports.ScoreReports(bootId, (report)=>this.reports.append(report));
    }
    get buffered() {
        return this.predictions.size;
    }
    served(event, cause, trace) {
        this.predictions.append((0, _predictionserved.predictionServed)(event, cause, trace));
    }
    featuresWaited(endpoint, seconds) {
        this.options.metrics.featuresWaited(endpoint, seconds);
    }
    fallback(endpoint, reason) {
        this.options.metrics.fallback(endpoint, reason);
    }
    versionFailed(endpoint, version, assigned, error) {
        this.options.metrics.versionFailed(endpoint, version, assigned);
        this.versionFaults.tell((notTold)=>{
            const fields = {
                err: error,
                endpoint,
                version,
                assigned,
                notTold
            };
            this.options.logger.error(fields, 'a version could not score a prediction');
        });
    }
    guarded(endpoint, breaches) {
        for (const { guardrail, action } of breaches)this.options.metrics.guarded(endpoint, guardrail, action);
    }
    versionAsked(rollout, version, error) {
        this.scores.note(rollout, version, error);
    }
    activated(report, cause) {
        this.options.logger.info({
            ...report,
            eventId: cause.eventId
        }, 'deployment activated');
        this.reports.append((0, _deploymentreports.deploymentActivated)({
            ...report,
            gateway: this.options.bootId
        }, cause));
    }
    loadFailed(report, cause) {
        this.options.logger.error({
            ...report,
            eventId: cause.eventId
        }, 'a version could not be loaded');
        this.options.metrics.loadFailed(report.endpoint, report.code);
        this.reports.append((0, _deploymentreports.modelLoadFailed)({
            ...report,
            gateway: this.options.bootId
        }, cause));
    }
    async close(deadlineMs) {
        this.scores.flush();
        await Promise.all([
            this.predictions.close(deadlineMs),
            this.reports.close(deadlineMs)
        ]);
    }
    dropped(count) {
        this.options.metrics.predictionsDropped(count);
        this.drops.tell(()=>this.options.logger.error({
                buffered: this.buffered
            }, 'predictions are answered but not logged: the buffer is full'));
    }
    publishingFailed(error, waiting) {
        this.publishFaults.tell(()=>this.options.logger.warn({
                err: error,
                waiting
            }, 'Kafka does not take events, they are kept and tried again'));
    }
};

//# sourceMappingURL=gateway-observer.js.map
