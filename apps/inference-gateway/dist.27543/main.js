"use strict";
Object.defineProperty(exports, "__esModule", {
    value: true
});
const _servicekit = require("@headrace/service-kit");
const _inferencegatewayconfig = require("./inference-gateway.config");
const _inferencegatewaymodule = require("./inference-gateway.module");
(0, _servicekit.runService)(_inferencegatewaymodule.InferenceGatewayModule, _inferencegatewayconfig.gatewayConfig);

//# sourceMappingURL=main.js.map
