"use strict";
Object.defineProperty(exports, "__esModule", {
    value: true
});
function _export(target, all) {
    for(var name in all)Object.defineProperty(target, name, {
        enumerable: true,
        get: Object.getOwnPropertyDescriptor(all, name).get
    });
}
_export(exports, {
    get CHILD_PROGRAMS () {
        return _modelproviders.CHILD_PROGRAMS;
    },
    get InferenceGatewayModule () {
        return _inferencegatewaymodule.InferenceGatewayModule;
    },
    get gatewayConfig () {
        return _inferencegatewayconfig.gatewayConfig;
    }
});
const _inferencegatewayconfig = require("./inference-gateway.config");
const _inferencegatewaymodule = require("./inference-gateway.module");
const _modelproviders = require("./model-providers");

//# sourceMappingURL=index.js.map
